"""`make demo`: the main job on real parts, told line by line."""
