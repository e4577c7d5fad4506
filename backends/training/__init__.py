"""How the bundled models were trained: data, objectives, loops and logs."""
