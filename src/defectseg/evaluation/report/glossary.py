"""Every term that the report uses, each in one sentence."""

TERMS = {
    "AUROC": "The chance that a random picture with a defect has a higher score than a random "
    "good one: 1 is perfect, 0.5 is guessing.",
    "Average precision": "How far pictures with a defect stand before the good ones when all are "
    "sorted by score: 1 is perfect.",
    "Calibration": "How well predicted probabilities come true; the calibration error (ECE) is "
    "how far they are off on average, 0 is perfect.",
    "Clean, or good": "A picture without a defect.",
    "Digest": "A fingerprint of files: two equal ones, the same content to the last bit.",
    "Defect found": "A drawn defect that one predicted region overlaps with an IoU of at least "
    "0.3 (or 0.5).",
    "Dice": "Twice the area that drawn and predicted defect share, divided by the sum of both "
    "areas: 1 is perfect, 0 is no overlap.",
    "Epoch": "One pass of the training over its pictures.",
    "Escape": "A picture with a defect that is accepted: the defect passes unseen.",
    "False alarm": "A good picture that is rejected (overkill).",
    "Gate": "A demand on one number, set before in params.yaml: evaluate.gates; a model that "
    "fails one is not exported.",
    "Interval": "With 95 % confidence the true number for surfaces like these lies in it; it is "
    "found by drawing the tested surfaces again and again (bootstrap).",
    "IoU": "The area that drawn and predicted defect share, divided by the area that either "
    "covers: 1 is perfect, and it is always below Dice in between.",
    "Loss": "What the training makes small: how far the predictions are from the drawn masks.",
    "Macro": "The mean over the classes, each counting the same however rare it is.",
    "Mask": "The pixels of a defect: drawn by a person (truth) or by the model (prediction).",
    "Operating point": "The thresholds, smallest areas and levels by which probabilities become "
    "a verdict; chosen on the valid part.",
    "Pooled": "Counted over all pixels of all pictures together, so that large defects count more.",
    "Precision": "Of the pixels that the model calls a defect, the share that is one.",
    "Recall": "Of the pixels that are a defect, the share that the model finds.",
    "Region": "Connected pixels that the model gives one class.",
    "Review": "A verdict between accept and reject: a person must look at the picture.",
    "Score of a picture": "That of its surest region, from 0 to 1.",
    "Slice": "The pictures of the test part that share a property, such as being dark.",
    "Surface": "The physical thing that was photographed; all photographs of one surface are in "
    "one part, and are one piece of evidence.",
    "Temperature": "A number that the network's raw answers are divided by, so that its "
    "probabilities come true more often.",
    "Threshold": "The probability from which on a pixel is called a defect.",
    "Train, valid, test": "The three parts of the pictures: to learn from, to choose settings "
    "on, and to measure once with nothing chosen on it.",
}
