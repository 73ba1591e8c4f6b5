"""The digest of a file."""

from bitjoule.energy_models.inputs.fingerprints import fingerprint


def test_the_digest_is_the_one_that_fips_180_prints_for_abc(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert fingerprint(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
