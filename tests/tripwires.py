"""Style figures against their budgets: a report to look at, never a gate. Run it from anywhere."""

import ast
import io
import statistics
import sys
import tokenize

from tests.house import body_lines, functions, modules


def quantile(values: list[int], share: float) -> int:
    return sorted(values)[round(share * (len(values) - 1))]


def main() -> None:
    found = modules().values()
    bodies = [body_lines(f) for _, tree in found for f in functions(tree)]
    texts = [path.read_text(encoding="utf-8") for path, _ in found]
    lengths = [len(text.splitlines()) for text in texts if len(text) > 40]
    filled = sum(bool(line.strip()) for text in texts for line in text.splitlines())
    comments = sum(
        token.type == tokenize.COMMENT
        for text in texts
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
    )
    loose = sum(isinstance(node, ast.Name) and node.id == "Any" for _, tree in found for node in ast.walk(tree))
    rows = [
        ("function body, median", statistics.median(bodies), "<= 10"),
        ("function body, 95 %", quantile(bodies, 0.95), "<= 40"),
        ("functions over 60 lines, %", round(100 * sum(b > 60 for b in bodies) / len(bodies), 1), "<= 1"),
        ("file, median", statistics.median(lengths), "<= 120"),
        ("file, 95 %", quantile(lengths, 0.95), "<= 300"),
        ("file, longest", max(lengths), "<= 400"),
        ("comments per 100 lines", round(100 * comments / filled, 1), "3 to 8"),
        ("uses of Any", loose, "few"),
        ("lines", sum(lengths), "-"),
    ]
    for name, value, budget in rows:
        sys.stdout.write(f"{name:<30} {value:>8}   {budget}\n")


if __name__ == "__main__":
    main()
