"""What deploy/bundle is made of: which libraries (elf), whose they are (origins), what is inside of them (inside), the
files (tree), and what is said about them (notice, sbom)."""
