"""The bundled demo API: small, real, and served on Trio like everything else."""
