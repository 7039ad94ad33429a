"""SavedModels: written, verified, found, loaded and described."""
