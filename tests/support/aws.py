"""AWS's own services, of which moto is the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

REGION = "us-east-1"


class Aws:
    """``environ``: how the program under test finds it, with access keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIDTESTS",
            "AWS_SECRET_ACCESS_KEY": "aws-s3cret-key",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._clients: list[Any] = []

    def client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        made = boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self._clients.append(made)
        return made

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def running_aws() -> Iterator[Aws]:
    pytest.importorskip("boto3", reason="boto3 is not installed; it is in the dev group")
    moto = pytest.importorskip("moto.server", reason="moto is not installed; it is in the dev group")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = Aws(f"http://{host}:{port}")
    try:
        yield aws
    finally:
        aws.close()
        server.stop()


class Pool:
    """A user pool with an app client; ``secret`` is the client's, if it has one."""

    def __init__(self, aws: Aws, *, with_secret: bool = False) -> None:
        self.cognito = aws.client("cognito-idp")
        self.id = self.cognito.create_user_pool(PoolName="tests")["UserPool"]["Id"]
        made = self.cognito.create_user_pool_client(
            UserPoolId=self.id,
            ClientName="tests",
            GenerateSecret=with_secret,
            ExplicitAuthFlows=[
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ],
        )["UserPoolClient"]
        self.client_id, self.secret = made["ClientId"], made.get("ClientSecret", "")

    def add(self, name: str, password: str, *, permanent: bool = True) -> None:
        self.cognito.admin_create_user(UserPoolId=self.id, Username=name, TemporaryPassword=password)
        if permanent:
            self.cognito.admin_set_user_password(UserPoolId=self.id, Username=name, Password=password, Permanent=True)
