"""How fast and lean a model is trained, beside LightGBM's Python package on the same frame: `make bench-train`.

Usage: bench_train.py SF WORK [ROWS] [RUNS]

The frame is invented: ROWS rows (2,000,000) of 100 features, ten a company, a tenth of the values missing, as one Parquet file;
seven tenths of the companies train, the rest validates and tests. Both sides read it, bin it, train 200 trees of 31 leaves on
two threads while they follow the validation loss, and predict the test rows. Ours also calibrates, finds thresholds, measures
with 200 bootstrap replicates, explains, and writes its card, all of which counts. Python gets what suits it: one array of
32-bit floats, and the raw data freed once it is binned.
"""

import csv
import json
import os
import statistics
import sys
from pathlib import Path

from bench_ingest import THREADS, timed

FEATURES, OF_A_COMPANY = 100, 10
PARAMETERS = {"num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 100, "lambda_l2": 1.0, "seed": 1}
ROUNDS = 200

INVENT = f"""
import sys, numpy, pyarrow, pyarrow.parquet
rows, out = int(sys.argv[1]), sys.argv[2]
random = numpy.random.default_rng(1)
company = numpy.repeat(numpy.arange(rows // {OF_A_COMPANY}), {OF_A_COMPANY})
risk = numpy.repeat(random.standard_normal(rows // {OF_A_COMPANY}), {OF_A_COMPANY})
logit = -4.2 + risk
columns = {{"entity": company, "time": numpy.tile(numpy.arange({OF_A_COMPANY}), rows // {OF_A_COMPANY})}}
for feature in range({FEATURES}):
    values = random.standard_normal(rows, dtype=numpy.float32)
    if feature < 20:
        values += (0.4 * risk).astype(numpy.float32)
        logit += 0.25 * numpy.where(feature % 2, numpy.tanh(values), numpy.abs(values) - 0.8)
    values[random.random(rows, dtype=numpy.float32) < 0.1] = numpy.nan
    columns[f"f{{feature}}"] = pyarrow.array(values, from_pandas=True)
columns["y"] = (random.random(rows) < 1 / (1 + numpy.exp(-logit))).astype(numpy.int8)
part = (company * 2654435761 % 2**32) % 20
columns["part"] = pyarrow.array(numpy.array(["train"] * 14 + ["validation"] * 3 + ["test"] * 3)[part])
pyarrow.parquet.write_table(pyarrow.table(columns), out, row_group_size=100_000)
"""

PYTHON = f"""
import sys, numpy, pyarrow.parquet, lightgbm
frame, out = sys.argv[1:]
names = [f"f{{feature}}" for feature in range({FEATURES})]
keys = pyarrow.parquet.read_table(frame, columns=["y", "part"])
label, part = keys["y"].to_numpy(), keys["part"].to_numpy()
data = numpy.empty((len(label), len(names)), dtype=numpy.float32)
for place, name in enumerate(names):
    data[:, place] = pyarrow.parquet.read_table(frame, columns=[name])[name].to_numpy()
train, valid, test = (part == side for side in ("train", "validation", "test"))
tested, label_tested = data[test], label[test]
parameters = dict({PARAMETERS!r}, objective="binary", metric="binary_logloss", num_threads={THREADS}, deterministic=True, force_row_wise=True, verbosity=-1)
dataset = lightgbm.Dataset(data[train], label[train], params=parameters).construct()
validation = lightgbm.Dataset(data[valid], label[valid], reference=dataset).construct()
del data
model = lightgbm.train(parameters, dataset, num_boost_round={ROUNDS}, valid_sets=[validation])
numpy.savetxt(out, numpy.column_stack([label_tested, model.predict(tested)]), delimiter=",")
"""


def auc(pairs):
    """Area under the ROC curve of (label, score), ties in the middle."""
    pairs = sorted(pairs, key=lambda pair: pair[1])
    ranks, start = 0.0, 0
    for end in range(1, len(pairs) + 1):
        if end == len(pairs) or pairs[end][1] != pairs[start][1]:
            ranks += (start + end + 1) / 2 * sum(label for label, _ in pairs[start:end])
            start = end
    positives = sum(label for label, _ in pairs)
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(pairs) - positives))


def main():
    sf, work = sys.argv[1], Path(sys.argv[2])
    rows, runs = (int(text) for text in (sys.argv[3:] + ["2000000", "1"][len(sys.argv) - 3 :]))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    frame, out, predicted = work / f"frame-{rows}.parquet", work / "trained", work / "predicted.csv"
    if not frame.exists():
        timed([sys.executable, "-c", INVENT, str(rows), str(frame)])
    parameters = dict(PARAMETERS, rounds=ROUNDS, early_stopping_rounds="null", feature_fraction=1, bagging_fraction=1, bagging_frequency=0)
    ours = [sf, "--quiet", "train", "--frame", str(frame), "--entity", "entity", "--time", "time", "--label", "y", "--split", "part"]
    ours += ["--alone", "--model=lightgbm", "--out", str(out)] + [f"--parameter={name}={value}" for name, value in parameters.items()]
    theirs = [sys.executable, "-c", PYTHON, str(frame), str(predicted)]
    measured = {"ours": [], "python": []}
    for _ in range(runs):
        measured["ours"].append(timed(ours))
        measured["python"].append(timed(theirs))
    with open(out / "predictions.csv") as file:
        pairs = [(int(row["label"]), float(row["probability"])) for row in csv.DictReader(file)]
    with open(predicted) as file:
        reference = [(int(float(label)), float(score)) for label, score in csv.reader(file)]
    reported = json.loads((out / "metrics.json").read_text())["sections"][0]["models"][0]["worth"]["figures"]["auc"]["value"]
    print(f"{rows:,} rows x {FEATURES} features, {ROUNDS} trees, {THREADS} threads, median of {runs}")
    print(f"{'':>10}{'seconds':>9}{'MiB':>8}{'AUC':>9}")
    for name, scored in (("ours", pairs), ("python", reference)):
        seconds, peak = (statistics.median(column) for column in zip(*measured[name]))
        print(f"{name:>10}{seconds:>9.1f}{peak:>8.0f}{auc(scored):>9.4f}")
    (time, memory), (time_python, memory_python) = (map(statistics.median, zip(*measured[name])) for name in measured)
    print(f"ours against Python's: time {time / time_python:.2f}, memory {memory / memory_python:.2f}; AUC in our report {reported:.4f}")


main()
