"""Pictures of tracks: bird's-eye view, camera overlays, animations."""
