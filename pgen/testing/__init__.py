"""The laws that every implementation of pgen's protocols keeps."""
