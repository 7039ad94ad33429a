"""The scripts here need PyTorch: pytest, which imports every module for its doctests, may not."""

collect_ignore_glob = ["[a-z]*.py"]
