"""How fast lleaves scores the rows of `bench_trees`: it compiles the model to machine code, by LLVM. One thread.

Usage: bench_trees.py FOLDER RUNS

FOLDER holds what `bench_trees RUNS FOLDER` left: the model, and rows of 32-bit floats. lleaves takes 64-bit ones: they are converted
beforehand. Single rows are asked for as its users do, from Python, whose call is then most of the time.
"""

import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import lleaves
import numpy

folder, runs = sys.argv[1], int(sys.argv[2])
# It wants the line that LightGBM's Python package writes last.
text = Path(folder, "model.txt").read_text()
with_line = Path(folder, "model-of-python.txt")
with_line.write_text(text.rstrip("\n") + "\n\npandas_categorical:null\n")
model = lleaves.Model(model_file=str(with_line))
began = time.perf_counter()
model.compile()
print(f"lleaves {version('lleaves')}: compiled in {time.perf_counter() - began:.0f} s")
rows = numpy.fromfile(f"{folder}/rows.f32", dtype="<f4").reshape(-1, model.num_feature()).astype(numpy.float64)
for size in (1, 100, 10_000):
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        for start in range(0, len(rows), size):
            model.predict(rows[start : start + size], n_jobs=1)
        times.append((time.perf_counter() - began) * 1e6 / len(rows))
    print(f"{size} rows: lleaves {statistics.median(times):8.2f} µs/row")
