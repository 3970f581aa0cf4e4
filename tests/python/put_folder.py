"""Puts the files of a folder into a bucket: put_folder.py ENDPOINT BUCKET PREFIX FOLDER."""

import sys
from pathlib import Path

from pyarrow.fs import S3FileSystem

endpoint, bucket, prefix, folder = sys.argv[1:]
store = S3FileSystem(access_key="test", secret_key="testtest", endpoint_override=endpoint, scheme=endpoint.split("://")[0])
for file in Path(folder).iterdir():
    with store.open_output_stream(f"{bucket}/{prefix}/{file.name}", compression=None) as out:
        out.write(file.read_bytes())
