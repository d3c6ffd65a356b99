"""Files behind an address, from a server on loopback: the same table, and what goes wrong."""

import gzip
import json
import re
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from kstest import mmd
from kstest.cli import run as kstest
from kstest.errors import DataError
from kstest.sources import ReadOptions, read_samples


@pytest.fixture
def served(tmp_path):
    """Files by name, and the address that serves them."""
    files, asked = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            name = self.path.partition("?")[0].strip("/")
            if name in ("near", "far"):
                host = "localhost" if name == "far" else "127.0.0.1"
                self.send_response(302)
                self.send_header("Location", f"http://{host}:{self.server.server_port}/a.csv")
                self.end_headers()
            elif name == "short.csv":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"x\n1\n2\n")
            elif "list-type=2" in self.path or self.path.startswith("/storage/v1/b/bucket/o?"):
                self.send_names()
            elif self.path.startswith("/storage/v1/b/bucket/o/") and "alt=media" not in self.path:
                self.send_about(name.removeprefix("storage/v1/b/bucket/o/"))
            elif name.removeprefix("download/").startswith("storage/v1/b/bucket/o/"):
                self.send_file(files[name.rpartition("/")[2]])
            elif name.removeprefix("bucket/") in files:
                self.send_file(files[name.removeprefix("bucket/")])
            else:
                self.send_error(404)

        def send_names(self):
            """What a bucket of S3 holds."""
            keys = "".join(
                f"<Contents><Key>{key}</Key><Size>{len(content)}</Size>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for key, content in sorted(files.items())
            )
            text = f"<ListBucketResult><Name>bucket</Name>{keys}</ListBucketResult>"
            self.send_file(text.encode())

        def send_about(self, key):
            """What a bucket of Google says of an object."""
            if key not in files:
                self.send_error(404)
                return
            about = {"kind": "storage#object", "name": key, "bucket": "bucket", "generation": "1"}
            self.send_file(json.dumps(about | {"size": str(len(files[key]))}).encode())

        def send_file(self, content):
            """With what a bucket needs: heads alone, and ranges."""
            wanted = self.headers.get("Range", "")
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            part = content[int(first) : int(last) + 1] if wanted else content
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(part)))
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(part)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    table = pd.DataFrame({"x": np.arange(50.0), "y": np.arange(50) % 7})
    files["a.csv"] = table.to_csv(index=False).encode()
    files["a.csv.gz"] = gzip.compress(files["a.csv"])
    table.to_parquet(tmp_path / "a.parquet")
    files["a.parquet"] = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.csv").write_bytes(files["a.csv"])
    yield f"http://127.0.0.1:{server.server_port}", asked, tmp_path
    server.shutdown()
    server.server_close()
    thread.join()


def read(path):
    return read_samples({"data": [str(path)]}, ReadOptions())[0][0]


def test_files_of_a_server(served):
    base, _, folder = served
    wanted = read(folder / "a.csv")
    for name in ("a.csv", "a.csv.gz", "a.parquet", "near", "a.parquet?key=s3cret#part"):
        found = read(f"{base}/{name}")
        assert np.array_equal(found.values, wanted.values), name
        assert "s3cret" not in found.inputs[0].path
    assert read(f"{base}/a.csv").inputs[0].sha256 == wanted.inputs[0].sha256


def test_files_of_a_bucket(served, monkeypatch):
    base, _, folder = served
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    how = f"?scheme=http&endpoint_override={base[7:]}&region=us-east-1"
    wanted = read(folder / "a.csv")
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        found = read(f"s3://bucket/{name}{how}")
        assert np.array_equal(found.values, wanted.values)
        assert found.inputs[0].path == f"s3://bucket/{name}"
    with pytest.raises(DataError, match=r"s3://bucket/none\.csv: cannot be read"):
        read(f"s3://bucket/none.csv{how}")


def test_patterns_and_two_passes_in_a_bucket(served, monkeypatch):
    """By the same rules as one file, which is read at once."""
    base, _, folder = served
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    how = f"?scheme=http&endpoint_override={base[7:]}&region=us-east-1"
    wanted = read(folder / "a.csv")
    found = read(f"s3://bucket/*.parquet{how}")
    assert np.array_equal(found.values, wanted.values)
    assert found.inputs[0].path == "s3://bucket/a.parquet"
    with pytest.raises(DataError, match=r"no file matches .*s3://bucket/b\*\.csv"):
        read(f"s3://bucket/b*.csv{how}")
    for name in ("a.parquet", "a.p*quet"):
        answer = mmd(f"s3://bucket/{name}{how}", str(folder / "a.parquet"), scheduler="local")
        assert answer.to_dict()["n"] == {"reference": 50, "sample": 50}
        assert "endpoint" not in json.dumps(answer.to_dict())
    for path in ("s3://key:s3cret@bucket/a.parquet", "s3://key:s3cret@bucket/*.parquet"):
        with pytest.raises(DataError, match="not taken") as caught:
            read(path)
        assert "s3cret" not in str(caught.value)
    with pytest.raises(DataError, match=r"s3://bucket/none\.parquet: no such file"):
        mmd(f"s3://bucket/none.parquet{how}", str(folder / "a.parquet"), scheduler="local")


def test_files_of_a_bucket_of_google(served):
    base, _, folder = served
    how = f"?scheme=http&endpoint_override={base[7:]}&retry_limit_seconds=2"
    wanted = read(folder / "a.csv")
    for name in ("a.csv", "a.parquet"):
        found = read(f"gs://anonymous@bucket/{name}{how}")
        assert np.array_equal(found.values, wanted.values)
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read(f"gs://anonymous@bucket/none.csv{how}")


@pytest.fixture
def encrypted(tmp_path):
    """A server on loopback whose certificate nobody knows: its address, and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl is installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=server",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out"]
    subprocess.run([*words, *names, str(certificate)], check=True, capture_output=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x\n1\n2\n")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", certificate
    server.shutdown()
    server.server_close()
    thread.join()


def test_certificates_are_checked(encrypted, monkeypatch):
    address, certificate = encrypted
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    words = (
        r"/a\.csv: its certificate is not trusted: self.signed certificate\. If .* SSL_CERT_FILE"
    )
    with pytest.raises(DataError, match=re.escape(address) + words):
        read(f"{address}/a.csv")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert read(f"{address}/a.csv").values[:, 0].tolist() == [1, 2]
    elsewhere = address.replace("127.0.0.1", "localhost")
    with pytest.raises(DataError, match="not trusted: Hostname mismatch"):
        read(f"{elsewhere}/a.csv")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.csv", "none.csv: the server answers 404"),
        ("none.csv?key=s3cret", "the server answers 404"),
        ("far", "sends on to 'http://localhost|sends on to http://localhost"),
        ("short.csv", r"ended after 6 of 1,000 bytes"),
        ("a*.csv", "404"),
    ],
)
def test_what_goes_wrong_names_the_address(served, name, words):
    base, asked, _ = served
    with pytest.raises(DataError, match=words) as caught:
        read(f"{base}/{name}")
    assert base in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(asked) == 1


def test_addresses_that_cannot_be(served, capsys):
    for path, words in [
        ("http://127.0.0.1:9/a.csv", "127.0.0.1:9/a.csv: cannot be reached"),
        ("http://user:s3cret@127.0.0.1/a.csv", "not taken"),
        ("http://127.0.0.1:port/a.csv", "cannot be read"),
        ("http:///a.csv", "cannot be"),
    ]:
        with pytest.raises(DataError, match=words) as caught:
            read(path)
        assert "s3cret" not in str(caught.value)
    base = served[0]
    assert kstest(["smmd", f"{base}/a.csv", f"{base}/a.csv", "--follow"]) == 2
    assert "does not grow" in capsys.readouterr().err
