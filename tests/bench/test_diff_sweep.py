"""Which versions of a document are compared."""

from __future__ import annotations

from diff_sweep import pairs


def test_each_version_is_compared_with_the_one_before_it_and_ten_comes_after_nine(tmp_path):
    for name in ("api-v1.10.yaml", "api-v1.9.yaml", "api-v2.yaml", "other-v1.json"):
        text = '{"paths": {"/a": {"get": {"operationId": "a", "responses": {}}}}}'
        (tmp_path / name).write_text(text)
    found = [(old.name, new.name) for old, new in pairs(tmp_path)]
    assert found == [("api-v1.9.yaml", "api-v1.10.yaml"), ("api-v1.10.yaml", "api-v2.yaml")]
