"""The words that data sets use for their splits, for every reader of folders and files."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# A part of the training data that is not learnt from: thresholds are chosen on it.
THRESHOLDS = "thresholds"

# The names of files and folders, the usual one first.
TRAIN_NAMES = ("train", "training")
VALIDATION_NAMES = ("val", "valid", "validation", "dev")
TEST_NAMES = ("test", "testing")

# Lower-case name of a file or folder to the split that it holds.
SPLIT_OF_NAME = {
    **dict.fromkeys(TRAIN_NAMES, TRAIN),
    **dict.fromkeys(VALIDATION_NAMES, VALIDATION),
    **dict.fromkeys(TEST_NAMES, TEST),
}
