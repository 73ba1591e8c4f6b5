"""Unknown names on the command line are answered by the one that was probably meant."""

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu", "x"], "bitjoule: error: unknown command 'rnu' (did you mean 'run'?); expected one of run, "),
        (["run", "--ot", "x", "bitnet_table1"], "bitjoule run: error: unknown option --ot (did you mean --out?); "
         "expected one of --help, --set, --out, "),
        (["run", "--ot=x", "bitnet_table1"], "bitjoule run: error: unknown option --ot (did you mean --out?); "),
        (["run", "bitnet_table1", "--ot", "--jbos=2"], "unknown option --ot (did you mean --out?); expected "),
        (["run", "-x", "bitnet_table1"], "bitjoule run: error: unknown option -x; expected one of --help, --set, "),
        (["list", "modles"], "bitjoule list: error: unknown kind 'modles' (did you mean 'models'?); "),
        (["run", "x", "--results", "cvs"], "bitjoule run: error: unknown --results 'cvs' (did you mean 'csv'?); "
         "expected one of csv, parquet, xlsx"),
        (["rtl", "verfy", "tiny_8x4"], "bitjoule rtl: error: unknown "),
        (["new", "platfrom"], "bitjoule new: error: unknown value 'platfrom' (did you mean 'platform'?); "),
        (["rtl", "verify", "tiny_8x4", "--csaes", "3"], "unknown option --csaes (did you mean --cases?); "),
        (["frobnicate"], "bitjoule: error: unknown command 'frobnicate'; expected one of run, "),
        (["run"], "bitjoule run: error: the following arguments are required: FILE.yaml|NAME"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_answered_by_the_nearest(bitjoule, words, said):
    status, out, err = bitjoule(*words)
    assert (status, out) == (2, "")
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize("words", [["run", "--sett=x=1", "bitnet_table1"], ["check", "--jobs", "2", "bitnet_table1"]])
def test_an_option_of_another_command_is_unknown(bitjoule, words):
    assert "unknown option" in bitjoule(*words)[2]
