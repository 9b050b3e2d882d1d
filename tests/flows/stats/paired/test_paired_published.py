"""Published numbers: R packages, their documentation, papers and peers' own tests."""

import math

import numpy as np
import pytest
from scipy import special

from flows.stats.paired.binary import mcnemar_counts, mcnemar_log_p, newcombe_paired, tango
from flows.stats.paired.forecast import diebold_mariano
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.many import cochran_q, friedman
from flows.stats.paired.ranking import auc, auc_interval, delong
from flows.stats.paired.signed_rank import signed_rank
from flows.stats.paired.validation import corrected_resampled_t, five_by_two_f, five_by_two_t


def r_normal(seed: int, n: int) -> np.ndarray:
    """What `set.seed(seed); rnorm(n)` gives in R: Mersenne Twister, inversion with two draws for each number."""
    keys = []
    for step in range(50 + 625):
        seed = (69069 * seed + 1) & 0xFFFFFFFF
        if step >= 51:
            keys.append(seed)
    twister = np.random.MT19937()
    twister.state = {**twister.state, "state": {"key": np.array(keys, dtype=np.uint32), "pos": 624}}
    uniform = twister.random_raw(2 * n) * 2.3283064365386963e-10
    big = 134217728
    return special.ndtri((np.floor(big * uniform[0::2]) + uniform[1::2]) / big)


# pROC's aSAH data by their order: three markers of 113 patients, first 41 with a poor outcome, then 72 with a good one.
ASAH = {
    "ndka": """
    42 26 32 40 4 10 20 48 52 48 48 16 36 44 6 8 34 2 56 44 18 20 24 34 46 29 44 8 54 39 4 13 44 4 12 48 22 36 50
    20 40 1 9 7 19 5 39 5 43 33 43 41 51 11 5 25 5 5 55 27 15 15 43 3 7 5 13 31 7 37 49 7 5 25 11 7 31 47 45 17 23
    53 5 41 15 19 19 37 3 41 25 11 19 43 19 23 7 15 19 47 9 25 29 49 21 25 11 47 17 35 45 5 33
    """,
    "wfns": """
    5 3 7 9 9 9 9 3 9 3 1 3 9 7 7 3 9 9 9 3 9 3 9 3 7 9 7 7 1 7 7 3 3 9 9 3 3 9 9 9 9 1 1 1 1 9 1 3 3 1 3 3 1 1 1
    3 1 3 1 1 5 7 1 7 1 9 9 1 1 3 7 1 1 3 3 1 3 1 3 3 1 1 1 1 3 1 3 1 1 5 3 7 3 1 7 1 1 9 7 3 3 1 1 1 5 1 3 3 7 7
    1 1 1
    """,
    "s100b": """
    13 9 19 12 36 42 40 3 29 7 3 34 32 39 42 24 42 42 42 3 42 26 0 7 22 42 24 42 5 24 13 9 11 22 42 15 42 27 42 42
    36 13 15 9 1 37 21 9 9 1 5 1 7 11 3 21 3 11 13 21 1 19 15 31 7 41 37 19 3 35 37 11 5 7 5 1 13 9 15 17 1 1 7 1
    7 5 19 7 5 29 11 25 3 9 27 3 1 23 33 9 17 5 15 9 3 1 21 17 37 21 17 41 39
    """,
}
POOR = [1] * 41 + [0] * 72


def asah(marker: str) -> np.ndarray:
    return np.array(ASAH[marker].split(), dtype=float)


@pytest.mark.parametrize(
    ("lost", "won", "test", "p"),
    [
        (9, 2, "exact", 0.06542969),  # R exact2x2, vignette exactMcNemar
        (9, 2, "chi2", 0.0348085),
        (9, 2, "chi2-corrected", 0.0704404),
        (121, 59, "exact", 4.4344492637555101e-06),  # mlxtend, test_mcnemar_test.py
        (121, 59, "chi2", 3.8151358651125936e-06),
        (121, 59, "chi2-corrected", 5.4500948254271171e-06),
        (16, 6, "mid-p", 0.034690),  # R contingencytables, Cavo et al. (2012)
        (16, 6, "chi2-corrected", 0.055009),
        (7, 1, "mid-p", 0.0390625),  # Fagerland et al. (2013), Bentur et al. (2009)
        (7, 1, "exact", 0.0703125),
        (7, 1, "chi2", 0.033895),
        (7, 1, "chi2-corrected", 0.077100),
    ],
)
def test_mcnemars_p_is_that_of_r_and_mlxtend(lost, won, test, p):
    assert mcnemar_counts(lost, won, 400, test=test).p_value == pytest.approx(p, rel=2e-5)


def test_intervals_of_paired_proportions_are_those_of_fagerland():
    # Fagerland, Lydersen, Laake (2014), table 5; R contingencytables
    assert tango(7, 1, 21) == pytest.approx((-0.5173, -0.0260), abs=1e-4)
    assert tango(16, 6, 161) == pytest.approx((-0.1240, -0.0054), abs=5e-5)
    assert newcombe_paired(7, 1, 21, both=1) == pytest.approx((-0.5069, -0.0256), abs=5e-5)
    assert newcombe_paired(16, 6, 161, both=59) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


@pytest.mark.parametrize(
    ("both", "won", "lost", "neither", "expected", "digits"),
    [  # R ratesci, tests/testthat
        (53, 16, 8, 9, (-0.020, 0.207), 3),  # Agresti and Min (2005)
        (8, 3, 1, 2, (-0.1670, 0.4327), 4),  # Tang et al. (2010)
        (7, 25, 2, 68, (0.139, 0.321), 3),  # Chang et al. (2024)
    ],
)
def test_tangos_interval_is_that_of_r_ratesci(both, won, lost, neither, expected, digits):
    assert tango(lost, won, both + won + lost + neither) == pytest.approx(expected, abs=0.51 * 10**-digits)


@pytest.mark.parametrize(
    ("both", "won", "lost", "neither", "expected", "digits"),
    [  # R ratesci, tests/testthat
        (20, 12, 2, 16, (0.0562, 0.3292), 4),  # Newcombe (1998), method 10
        (8, 3, 1, 2, (-0.1574, 0.4136), 4),  # Tang et al. (2010)
        (7, 25, 2, 68, (0.133, 0.318), 3),  # Chang et al. (2024)
    ],
)
def test_newcombes_interval_is_that_of_r_ratesci(both, won, lost, neither, expected, digits):
    found = newcombe_paired(lost, won, both + won + lost + neither, both=both)

    assert found == pytest.approx(expected, abs=0.51 * 10**-digits)


def test_tangos_interval_is_that_of_r_propcis():
    def bisected(b, c, n, z=1.959963984540054):
        """The bisection of R PropCIs::scoreci.mp, upper limit only."""
        root, step = (c - b) / n, 1 - (c - b) / n
        while step > 1e-12:
            step /= 2
            delta = root + step
            p, q = -b - c + (2 * n - c + b) * delta, -b * delta * (1 - delta)
            free = (math.sqrt(p * p - 8 * n * q) - p) / (4 * n)
            if abs((c - b - n * delta) / math.sqrt(n * (2 * free + delta * (1 - delta)))) < z:
                root = delta
        return root

    assert tango(40, 20, 160)[1] == pytest.approx(bisected(40, 20, 160), abs=1e-9)
    assert tango(40, 20, 160)[0] == pytest.approx(-bisected(20, 40, 160), abs=1e-9)


@pytest.mark.parametrize(
    ("champion", "challenger", "p", "low", "high"),
    [  # R pROC, tests/testthat/test-roc.test.R
        ("s100b", "wfns", 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        ("ndka", "wfns", 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        ("s100b", "ndka", 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
)
def test_delong_is_that_of_proc(champion, challenger, p, low, high):
    effect = delong(POOR, asah(champion), asah(challenger))

    assert (effect.p_value, effect.low, effect.high) == pytest.approx((p, low, high), rel=1e-10)


def test_the_interval_of_an_auc_is_that_of_proc():
    found = auc_interval(POOR, asah("ndka"))

    # R pROC, tests/testthat/test-ci.auc.R
    expected = (0.501244999271703, 0.611957994579946, 0.722670989888189)
    assert (found.low, found.estimate, found.high) == pytest.approx(expected, rel=1e-12)
    assert auc(POOR, asah("wfns")) == pytest.approx(0.823678861788618, rel=1e-12)
    assert auc(POOR, asah("s100b")) == pytest.approx(0.731368563685637, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "p"),
    [
        ({}, 1.10163618973918e-06),
        ({"power": 1}, 1.3175500842911e-07),
        ({"horizon": 3}, 3.30643651414324e-07),
    ],
)
def test_diebold_mariano_is_that_of_r_forecast(options, p):
    # anofox-statistics, R/generate_refs.R: set.seed(123), a random walk and two noisy forecasts of it
    noise = r_normal(123, 300)
    walk = np.cumsum(noise[:100])
    before = np.concatenate([[0.0], walk[:-1]])
    better, worse = walk - (before + 0.5 * noise[100:200]), walk - (before + 1.5 * noise[200:])

    effect = diebold_mariano(better, worse, **options)

    assert effect.p_value == pytest.approx(p, rel=1e-9)
    assert effect.estimate < 0


def test_diebold_mariano_is_that_of_the_python_package_on_absolute_errors():
    first = [0.3675225224615024, 0.5450608127223211, 0.22044990720021074, 0.8688743471040006, 0.6072512228948467]
    first += [0.8582283746501538, 0.41662295816718187, 0.3812100211114714, 0.7185133356116706, 0.30827323290318875]
    first += [0.4297093624074402, 0.8615974488577858, 0.7240514514808826, 0.3450839595261038, 0.19675301374013598]
    second = [0.12794132529988733, 0.3679643204341153, 0.768715420996091, 0.09972248964114683, 0.27197653636654284]
    second += [0.28797629010039505, 0.9160213458582482, 0.6112628048698798, 0.5452873235576241, 0.06785907231746158]
    second += [0.6072666485541124, 0.6241575753989782, 0.39998026828867217, 0.19895665605941748, 0.8094941215215619]

    # PyPI dieboldmariano, tests: 1 - p / 2 = 0.877
    assert 1 - diebold_mariano(first, second, horizon=3, power=1).p_value / 2 == pytest.approx(0.877, abs=5e-4)


def test_the_corrected_resampled_t_is_that_of_r_correctr():
    noise = r_normal(123, 60)

    effect = corrected_resampled_t(0.4 + 0.1 * noise[30:], 0.6 + 0.1 * noise[:30], train=80, test=20)

    # R correctR, introductory vignette: statistic 2.407318, one-sided p 0.01132991
    assert effect.p_value / 2 == pytest.approx(0.01132991, rel=1e-6)


LOGISTIC = [[71, 73], [74, 69], [72, 74], [72, 72], [72, 72]]  # right of 75, iris, random_seed=1
TREE = [[71, 73], [71, 71], [71, 72], [71, 70], [71, 67]]
STUMP = [[47, 47], [48, 49], [47, 41], [48, 47], [48, 46]]
LASSO = [[0.6696664660498376, 0.6241208395769611], [0.6435215223782511, 0.6953817076738155]]
LASSO += [[0.6547861778434033, 0.6830210574107216], [0.6074454687158835, 0.6889332266027411]]
LASSO += [[0.6577509697375306, 0.6671144374890617]]
RIDGE = [[0.6872784123238737, 0.7120432341290526], [0.6728405535685369, 0.7468271886746527]]
RIDGE += [[0.7282386809488017, 0.7187295080709293], [0.6895170120990552, 0.729096996826905]]
RIDGE += [[0.68503996864342, 0.688556385932655]]


@pytest.mark.parametrize(
    ("first", "second", "p_t", "p_f"),
    [  # mlxtend 0.25 paired_ttest_5x2cv and combined_ftest_5x2cv on these scores; its tests pin them to 3 digits
        (LOGISTIC, TREE, 1.0, 0.4704629478124442),
        (LOGISTIC, STUMP, 0.0007701198372066765, 0.00014469995171312574),
        (LASSO, RIDGE, 0.5753468424539485, 0.10492702580435352),
    ],
)
def test_five_by_two_cross_validation_is_that_of_mlxtend(first, second, p_t, p_f):
    scale = 75 if first is LOGISTIC else 1
    first, second = np.array(first) / scale, np.array(second) / scale

    assert five_by_two_t(second, first).p_value == pytest.approx(p_t, rel=1e-9)
    assert five_by_two_f(second, first).p_value == pytest.approx(p_f, rel=1e-9)


def test_the_signed_rank_test_is_that_of_r_on_hollander_and_wolfes_depression_data():
    first = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    second = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]

    effect = signed_rank(second, first)

    # R ?wilcox.test: V = 40, one-sided p = 0.01953; Hollander and Wolfe (1973), p. 33: 0.46, 96 % (0.010, 0.786)
    assert effect.p_value / 2 == pytest.approx(0.01953125)
    assert (effect.estimate, effect.low, effect.high) == pytest.approx((0.46, 0.010, 0.786), abs=1e-9)


def test_the_paired_t_test_is_that_of_r_on_students_sleep_data():
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

    effect = paired_mean(first, second)

    # R ?t.test: t = 4.0621, df = 9, p = 0.002833, 0.7001142 to 2.4598858
    assert effect.p_value == pytest.approx(0.002833, abs=5e-7)
    assert (effect.low, effect.high) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_cochrans_q_is_that_of_mlxtend_and_mcnemar_for_two_models():
    right = np.ones((100, 3))
    right[:16, 0] = 0
    right[[0, 1, 2, 3, 4, 5, 20, 21], 1] = 0
    right[[0, 1, 2, 6, 20, 21, 98, 99], 2] = 0

    # mlxtend, test_cochran_q.py: Q = 7.529, p = 0.023
    assert cochran_q(right).statistic == pytest.approx(7.529, abs=5e-4)
    assert cochran_q(right[:, :2]).p_value == pytest.approx(mcnemar_counts(2, 10, 100, test="chi2").p_value, rel=1e-9)


def test_friedman_and_its_pairs_are_those_of_demsar():
    # Demsar (2006), table 6: AUC of C4.5, with m, with cf, with both, on 14 data sets; one tie is broken as he did.
    auc_of = [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]  # fmt: skip

    found = friedman(auc_of)

    assert [5 - mean for mean in found.means] == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    by_name = {(pair.first, pair.second): pair.effect.p_value for pair in found.pairs}
    # Demsar's chi-squared is without the correction of ties: 9.28; section 3.2.2: p = 0.016, 0.019, 0.607
    assert by_name[0, 3] == pytest.approx(0.016, abs=5e-4)
    assert by_name[0, 1] == pytest.approx(0.019, abs=5e-4)
    assert by_name[0, 2] == pytest.approx(0.607, abs=2e-3)  # from z rounded to 0.512


def test_the_exact_mcnemar_p_is_a_binomial_test():
    assert math.exp(mcnemar_log_p(9, 2, exact=True)) == pytest.approx(2 * (1 + 11 + 55) / 2**11)
