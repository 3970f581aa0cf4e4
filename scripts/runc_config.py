"""The configuration of a container for runc, as strict as the pods of the chart.

Usage: runc_config.py FILE SERVICE PORT ADMIN_PORT. The network is the machine's: only the ports on loopback are listened on.
"""

import json
import sys

path, service, port, admin = sys.argv[1:]
tmpfs = ["nosuid", "nodev", "noexec", "mode=1777", "size=64m"]
config = {
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 65532, "gid": 65532},
        "args": [service],
        "env": [
            "PATH=/usr/bin",
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            f"SF_SERVER__LISTEN=127.0.0.1:{port}",
            f"SF_SERVER__ADMIN=127.0.0.1:{admin}",
            "SF_LAKE__ROOT=/tmp/lake",
        ],
        "cwd": "/tmp",
        "noNewPrivileges": True,
        "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
    },
    "root": {"path": "rootfs", "readonly": True},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": tmpfs},
    ],
    "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
}
with open(path, "w") as file:
    json.dump(config, file, indent=1)
