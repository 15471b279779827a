"""The end of what --help prints: the exit status, and examples."""

from argparse import HelpFormatter


class Paragraphs(HelpFormatter):
    """Wraps each paragraph by itself, and leaves alone one that has lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(
            each if "\n" in each else fill(each, width, indent)
            for each in text.split("\n\n")
        )


def with_examples(text: str, *examples: str) -> str:
    """An epilog for that formatter: a paragraph, and a line for each example."""
    return "\n  ".join([f"{text}\n\nexamples:", *examples])
