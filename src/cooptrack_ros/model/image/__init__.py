"""From images to image features."""
