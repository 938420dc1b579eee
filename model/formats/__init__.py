"""What single file formats need beyond Pillow; `model.photos` opens them all."""
