"""What people see in a picture of a dog, measured; and the ways through latent space that change one thing of it."""
