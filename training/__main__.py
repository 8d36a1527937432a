"""`python -m training RECIPE --data NAME -o CKPT`."""

from training.cli import main

if __name__ == "__main__":
    main()
