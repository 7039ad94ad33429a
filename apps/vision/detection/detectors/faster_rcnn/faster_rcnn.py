"""Faster R-CNN: regions that may hold objects, then their classes and boxes."""

from shared.common.errors import KerasuiteError


def build_faster_rcnn(**options):
    """Builds Faster R-CNN."""
    raise KerasuiteError("--architecture faster-rcnn: is not built yet; choose yolo or ssd")
