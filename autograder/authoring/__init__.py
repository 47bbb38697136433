"""From a unit's sources to notebooks, and the gate that a unit must pass."""
