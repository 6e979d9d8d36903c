"""Options of the training loop."""

from graphrec.core.config import config, option


@config
class FitConfig:
    """How long and how fast to train. A stage that needs other defaults passes its own instance."""

    epochs: int = option(default=20, ge=0, help="Passes over the training events at most.")
    lr: float = option(default=1e-3, gt=0, help="Learning rate of Adam.")
    batch_size: int = option(default=8192, ge=1, help="Training events in a step.")
    patience: int = option(default=3, ge=1, help="Validations without a better score before training stops.")
    eval_every: int = option(default=1, ge=1, help="Epochs from one validation to the next.")
    weight_decay: float = option(default=0.0, ge=0, help="Decoupled weight decay (AdamW); 0 is plain Adam.")
    clip: float = option(default=0.0, ge=0, help="Largest global norm of the gradient; 0 does not clip.")
    schedule: str = option(
        default="constant",
        choices=("constant", "cosine"),
        help="Learning rate over the epochs: the same, or falling to a twentieth along half a cosine.",
    )
    warmup: int = option(default=0, ge=0, help="First epochs in which the learning rate rises to `lr` in equal steps.")
    precision: str = option(
        default="highest",
        choices=("highest", "high", "medium"),
        help="Of the products of matrices: float32; high and medium are TF32 on a GPU, medium is bfloat16 on a "
        "processor that has it. Sums and parameters stay float32 (torch.set_float32_matmul_precision).",
    )
