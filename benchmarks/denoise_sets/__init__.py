"""One module for each data set that `benchmarks/denoise.py` measures denoising on."""
