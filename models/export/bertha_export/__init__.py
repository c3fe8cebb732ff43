"""Exports fine-tuned Hugging Face checkpoints as bertha model packages (docs/package.md is the format).

from bertha_export import Request, export
package = export(Request(checkpoint=Path("checkpoint"), output=Path("models"), name="sentiment"))
"""

from bertha_export.errors import ExportError
from bertha_export.exporter import Request, export

__all__ = ["ExportError", "Request", "export"]
