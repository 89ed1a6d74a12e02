"""Several parts that act together: fleets, standbys, clones, schedules, weather, wipes."""
