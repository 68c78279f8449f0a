"""What happens between the banks; knows the Source seam only."""
