"""Operation prices against the tables they come from."""

import pytest

from bitjoule.energy_models import technology as module
from bitjoule.energy_models.errors import InputError
from bitjoule.energy_models.sources import keys, sources
from bitjoule.energy_models.technology import COLUMNS, technologies

# BitNet Table 2 and TPUv4i Table 2, in pJ: (add, mul) at 45 nm and at 7 nm
PRINTED = {
    "fp32": ((0.9, 3.7), (0.38, 1.31)),
    "fp16": ((0.4, 1.1), (0.16, 0.34)),
    "int32": ((0.1, 3.1), (0.03, 1.48)),
    "int8": ((0.03, 0.2), (0.007, 0.07)),
}


@pytest.mark.parametrize("number_format", PRINTED)
@pytest.mark.parametrize(("node", "column"), [("45nm", 0), ("7nm", 1)])
def test_prices_are_the_printed_ones(number_format, node, column):
    add, mul = PRINTED[number_format][column]
    assert technologies()[node].price("add", number_format).nominal_pj == add
    assert technologies()[node].price("mul", number_format).nominal_pj == mul


def test_bf16_is_priced_at_7_nm_only():
    assert technologies()["7nm"].price("add", "bf16").nominal_pj == 0.11
    with pytest.raises(KeyError):
        technologies()["45nm"].price("add", "bf16")


def test_every_price_cites_a_source_and_a_place():
    for technology in technologies().values():
        for row in technology.rows.values():
            assert row.where
            assert keys(row.source)
            assert all(key in sources() for key in keys(row.source))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("add,int8,45,-1,1,1,s,w,", "2: energy_pj: got '-1'; expected a positive number"),
        ("add,int8,45,nan,1,1,s,w,", "2: energy_pj: got 'nan'; expected a positive number"),
        ("add,int8,45,5,1,2,s,w,", "2: energy_pj: outside low..high; expected low <= energy_pj <= high"),
        ("add,int8,45 nm,1,1,1,s,w,", "2: node_nm: got '45 nm'; expected a positive number"),
        ("add,int8,45,1,1,1,s,w", "2: row: 8 cells; expected 9 cells"),
        ("add,int8,45,1,1,1,s,w,\nadd,int8,45,1,1,1,s,w,", "3: operation: add int8 stands twice; expected one row"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path, monkeypatch, row, message):
    path = tmp_path / "operations.csv"
    path.write_text(",".join(COLUMNS) + "\n" + row + "\n")
    monkeypatch.setattr(module, "OPERATIONS_FILE", path)
    with pytest.raises(InputError) as error:
        technologies.__wrapped__()
    assert str(error.value) == f"{path}:{message}"
