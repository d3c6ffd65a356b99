"""Targets: scores against their densities, samplers, the two languages, files, attacks."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from kstest.errors import DataError, KstestError, UsageError
from kstest.targets import FAMILIES, resolve
from kstest.targets.derivatives import FUNCTIONS
from kstest.targets.transforms import ANGLE, Transform

JOINT = [
    "multivariate_normal(mean=[1, 2], covariance=[[1, 0.5], [0.5, 2]])",
    "gaussian_mixture([0.3, 0.7], means=[[0, 0], [3, 1]], covariances=[1, [[2, 0], [0, 1]]])",
    "product(a=normal(0, 1), b=gamma(2, 1))",
    "product(a=von_mises(1, 2), b=beta(2, 3))",
    "logp: -0.5*a**2 - 0.5*((b - a**2)/0.3)**2",
    "logp: logsumexp(-a**2, -(a - 3)**2/2) - log1p(b**2)",
]
UNIVARIATE = [text for family in FAMILIES.values() for text in family.examples if "[" not in text]
KNOWN = [text for text in UNIVARIATE if "fit" not in text]
SCIPY = {
    "normal": lambda p: stats.norm(p["mean"], p["sd"]),
    "student_t": lambda p: stats.t(p["df"], p["location"], p["scale"]),
    "laplace": lambda p: stats.laplace(p["location"], p["scale"]),
    "logistic": lambda p: stats.logistic(p["location"], p["scale"]),
    "gamma": lambda p: stats.gamma(p["shape"], scale=p["scale"]),
    "beta": lambda p: stats.beta(p["a"], p["b"]),
    "lognormal": lambda p: stats.lognorm(p["log_sd"], scale=math.exp(p["log_mean"])),
    "exponential": lambda p: stats.expon(scale=p["scale"]),
    "uniform": lambda p: stats.uniform(p["low"], p["high"] - p["low"]),
    "von_mises": lambda p: stats.vonmises(p["concentration"], p["mean"]),
    "cauchy": lambda p: stats.cauchy(p["location"], p["scale"]),
    "half_normal": lambda p: stats.halfnorm(scale=p["sd"]),
    "half_cauchy": lambda p: stats.halfcauchy(scale=p["scale"]),
    "inv_gamma": lambda p: stats.invgamma(p["shape"], scale=p["scale"]),
    "weibull": lambda p: stats.weibull_min(p["shape"], scale=p["scale"]),
    "chi_squared": lambda p: stats.chi2(p["df"]),
    "pareto": lambda p: stats.pareto(p["shape"], scale=p["scale"]),
    "truncated_normal": lambda p: stats.truncnorm(
        (p["low"] - p["mean"]) / p["sd"], (p["high"] - p["mean"]) / p["sd"], p["mean"], p["sd"]
    ),
}
VALUES = {
    "normal": {"mean": 1.0, "sd": 2.0},
    "student_t": {"df": 3.5, "location": 1.0, "scale": 2.0},
    "laplace": {"location": 1.0, "scale": 2.0},
    "logistic": {"location": 1.0, "scale": 2.0},
    "gamma": {"shape": 2.5, "scale": 3.0},
    "beta": {"a": 2.5, "b": 0.7},
    "lognormal": {"log_mean": 0.5, "log_sd": 0.8},
    "exponential": {"scale": 2.0},
    "uniform": {"low": -1.0, "high": 3.0},
    "von_mises": {"mean": 1.0, "concentration": 2.0},
    "cauchy": {"location": 1.0, "scale": 2.0},
    "half_normal": {"sd": 2.0},
    "half_cauchy": {"scale": 2.0},
    "inv_gamma": {"shape": 2.5, "scale": 3.0},
    "weibull": {"shape": 1.5, "scale": 2.0},
    "chi_squared": {"df": 3.5},
    "pareto": {"shape": 2.5, "scale": 2.0},
    "truncated_normal": {"mean": 1.0, "sd": 2.0, "low": 0.5, "high": 6.0},
}


def text_of(name):
    return f"{name}({', '.join(f'{k}={v}' for k, v in VALUES[name].items())})"


def rows_of(target, n, rng):
    if target.sample is not None:
        return target.sample(n, rng)
    return rng.normal(size=(n, target.d))


@pytest.mark.parametrize("text", [*KNOWN, *JOINT])
def test_score_is_the_gradient_of_the_log_density(text, rng):
    target = resolve(text, ("a", "b"))
    X, h = rows_of(target, 20, rng), 1e-6
    for c, step in enumerate(np.eye(target.d) * h):
        expected = (target.logpdf(X + step) - target.logpdf(X - step)) / (2 * h)
        np.testing.assert_allclose(target.score(X)[:, c], expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("text", [*KNOWN, *JOINT])
def test_unconstrained_score_is_that_of_the_transformed_density(text, rng):
    """Finite differences in y of log p(x(y)) + log |dx/dy|, x(y) by inverting the transform."""
    target = resolve(text, ("a", "b"))
    X, h = rows_of(target, 20, rng), 1e-6
    _, S = target.unconstrain(X)

    def log_density(X):
        jacobian = sum(np.log(c.slope(X[:, k])) for k, c in enumerate(target.transforms))
        return target.logpdf(X) + jacobian

    for c, transform in enumerate(target.transforms):
        up, down = X.copy(), X.copy()
        step = h * transform.slope(X[:, c])
        up[:, c] += step
        down[:, c] -= step
        gap = transform.forward(up[:, c]) - transform.forward(down[:, c])
        expected = (log_density(up) - log_density(down)) / gap
        np.testing.assert_allclose(S[:, c], expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_log_density_equals_scipy(name, rng):
    target = resolve(text_of(name), ("a",))
    X = target.sample(50, rng)
    np.testing.assert_allclose(target.logpdf(X), SCIPY[name](VALUES[name]).logpdf(X[:, 0]))


@pytest.mark.parametrize("name", FAMILIES)
def test_sampler_follows_the_distribution_function(name):
    """Kolmogorov-Smirnov at level 1e-4, seeded."""
    X = resolve(text_of(name), ("a",)).sample(20_000, np.random.default_rng(8))[:, 0]
    assert stats.kstest(X, SCIPY[name](VALUES[name]).cdf).pvalue > 1e-4


@pytest.mark.parametrize("text", JOINT[:4])
def test_joint_sampler_makes_the_mean_score_vanish(text):
    """E s(X) = 0 and E s(X) . (X - m) = -d in coordinates without an edge."""
    target = resolve(text, ("a", "b"))
    Y, S = target.unconstrain(target.sample(200_000, np.random.default_rng(5)))
    assert (abs(S.mean(axis=0)) < 5 * S.std(axis=0) / math.sqrt(200_000)).all()
    for c, transform in enumerate(target.transforms):
        if not transform.angle:
            virial = S[:, c] * Y[:, c]
            assert virial.mean() == pytest.approx(-1, abs=6 * virial.std() / math.sqrt(200_000))


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.fit])
def test_fit_maximises_the_likelihood(name):
    X = resolve(text_of(name), ("a",)).sample(500, np.random.default_rng(2))
    fitted = resolve(f"{name}(fit)", ("a",)).refit(X)
    best = fitted.logpdf(X).sum()
    found = FAMILIES[name].fit(X[:, 0])
    for key in found:
        for factor in (0.98, 1.02):
            other = {**found, key: found[key] * factor}
            assert FAMILIES[name].logpdf(X[:, 0], **other).sum() <= best + 1e-6
    assert fitted.fitted == tuple(FAMILIES[name].parameters)


def test_modes_have_no_score_and_a_mixture_is_finite_far_away():
    for text in ("normal(mean=[1, 2])", "student_t(3)", JOINT[0]):
        target = resolve(text, ("a", "b"))
        np.testing.assert_allclose(target.score(target.modes), 0, atol=1e-12)
    far = resolve(JOINT[1], ("a", "b"))
    X = np.array([[1e6, -1e6], [1e150, 0.0]])
    assert np.isfinite(far.score(X)).all()
    assert np.isfinite(far.logpdf(X[:1])).all()


@pytest.mark.parametrize(
    "transform", [Transform(), Transform(low=2.0), Transform(high=-1.0), Transform(-1.0, 5.0)]
)
def test_transforms_are_consistent(transform):
    x = np.linspace(max(transform.low, -4) + 0.1, min(transform.high, 9) - 0.1, 30)
    h = 1e-6
    slope = 2 * h / (transform.forward(x + h) - transform.forward(x - h))
    np.testing.assert_allclose(transform.slope(x), slope, rtol=1e-6)
    bend = (np.log(transform.slope(x + h)) - np.log(transform.slope(x - h))) / (2 * h) * slope
    np.testing.assert_allclose(transform.bend(x), bend, rtol=1e-5, atol=1e-8)
    assert not transform.outside(x).any()


# --- languages -------------------------------------------------------------------------------

POINTS = np.array([[0.3, 0.7], [1.2, 0.2], [0.5, 2.5]])


@pytest.mark.parametrize(
    "text",
    [
        *(f"{name}(a*b + 0.1)" for name in FUNCTIONS),
        "a + b - 2*a*b/(1 + b)",
        "-(+a)**3 + b**-1.5 + a**(1/2) + a**0",
        "logsumexp(a, b*a, 2)",
        "min(a, b) * max(a, 1, b)",
        "s*a + t*b",
    ],
)
def test_expression_derivatives_equal_finite_differences(text):
    target = resolve("logp: " + text, ("a", "b"), {"s": 2, "t": 3} if "s*a" in text else ())
    h = 1e-6
    steps = np.eye(target.d) * h
    X = POINTS[:, : target.d]
    for c, step in enumerate(steps):
        expected = (target.logpdf(X + step) - target.logpdf(X - step)) / (2 * h)
        np.testing.assert_allclose(target.score(X)[:, c], expected, rtol=1e-6, atol=1e-8)


ATTACKS = [
    "__import__('os').system('true')",
    "a.__class__",
    "a.real",
    "(lambda: a)()",
    "lambda a: a",
    "[a for a in (1, 2)]",
    "a if a else b",
    "a and b",
    "a < b",
    "a[0]",
    "exp(a, out=b)",
    "exp(*a)",
    "eval('1')",
    "getattr(a, 'b')",
    "f'{a}'",
    "'a' * 9",
    "True * a",
    "1j * a",
    "a ** b",
    "a ** 9 ** 9 ** 9",
    "a ** 1e9",
    "a ** -(1000)",
    "9" * 400 + "*a",
    "1e999 * a",
    "a := 3",
    "a; b",
    "a\nb",
    "",
    "exp",
    "exp()",
    "exp(a)(b)",
    "...",
    "None",
    "a // b",
    "a @ b",
    "~a",
    "not a",
    "a" + "+a" * 400,
    "(" * 60 + "a" + ")" * 60 + " ** (((2",
    "-" * 60 + "a",
    "exp(" * 55 + "a" + ")" * 55,
    "a+" * 3000 + "a",
    "{a: b}",
    "await a",
    "yield a",
    "\x00a",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_expressions_refuse_everything_else(text):
    with pytest.raises(UsageError, match="--target"):
        resolve("logp: " + text, ("a", "b")).score(POINTS)


@pytest.mark.parametrize(
    "text",
    [
        *(t for t in ATTACKS if t not in ("a" + "+a" * 400,)),
        "normal.x()",
        "normal(a=b)",
        "normal(**a)",
    ],
)
def test_the_family_language_refuses_everything_else(text):
    with pytest.raises(UsageError):
        resolve(text, ("a", "b"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("normals()", "normal"),
        ("normal(sd=-1)", "sd must be above 0"),
        ("normal(mean=[1, 2, 3])", "3 numbers"),
        ("normal(1, 2, 3)", "takes 2"),
        ("normal(1, mean=2)", "twice"),
        ("normal(average=2)", "average"),
        ("gamma()", "needs shape"),
        ("gamma(1, scale=1, rate=1)", "not both"),
        ("uniform(3, 1)", "below"),
        ("student_t(fit)", "takes normal"),
        ("multivariate_normal()", "covariance"),
        ("multivariate_normal(covariance=[[1, 2], [2, 1]])", "positive definite"),
        ("multivariate_normal(covariance=[[1, 2], [0, 9]])", "symmetric"),
        ("gaussian_mixture([0.5, 0.6], [[0, 0], [1, 1]], 1)", "sum"),
        ("gaussian_mixture([0.5, 0.5], [[0], [1]], 1)", "means"),
        ("product()", "product takes"),
        ("product(a=3)", "column a"),
        ("product(z=normal())", "'z'"),
        ("logp: a + z", "--param z"),
        ("logp: 3", "no column"),
        ("nowhere.yaml", "nowhere.yaml"),
        ("nowhere.toml", "nowhere.toml"),
    ],
)
def test_messages_name_what_is_wrong(text, named):
    with pytest.raises(KstestError, match=named):
        resolve(text, ("a", "b"))


@pytest.mark.parametrize("param", ["s", "s=", "s=x", "s=nan", "1=2", ["s=1", "s=2"], {"s": None}])
def test_parameters_that_are_none(param):
    with pytest.raises(UsageError, match="--param"):
        resolve("logp: s*a", ("a",), param)


def test_numbers_of_the_language():
    mean = resolve("normal(mean=-(1/2) + pi*2 - 1, sd=[1, 3])", ("a", "b"))
    expected = (2 * math.pi - 1.5) / np.array([1, 9])
    np.testing.assert_allclose(mean.score(np.zeros((1, 2)))[0], expected)


# --- files and columns -----------------------------------------------------------------------


def test_toml_and_json_say_the_same_as_the_language(tmp_path, rng):
    (tmp_path / "p.toml").write_text(
        '[columns.wait]\nfamily = "exponential"\nscale = 2\n'
        '[columns."size of it"]\nfamily = "gamma"\nshape = 3\nrate = 0.5\n'
    )
    (tmp_path / "m.json").write_text(
        json.dumps(
            {
                "family": "gaussian_mixture",
                "columns": ["y", "x"],
                "weights": [0.4, 0.6],
                "means": [[0, 0], [3, 1]],
                "covariances": [1, [[2, 0], [0, 1]]],
            }
        )
    )
    (tmp_path / "e.toml").write_text(
        'logp = "a*log(x) - x + cos(t)"\nparameters = {a = 2}\n'
        'support = {x = [0, "inf"], t = "angle"}\n'
    )
    product = resolve(str(tmp_path / "p.toml"), ("other", "size of it", "wait"))
    assert product.columns == ("wait", "size of it")
    X = product.sample(5, rng)
    np.testing.assert_allclose(product.score(X)[:, 1], 2 / X[:, 1] - 0.5)
    mixture = resolve(str(tmp_path / "m.json"), ("x", "y"))
    assert mixture.columns == ("y", "x")
    expression = resolve(str(tmp_path / "e.toml"), ("t", "x"))
    assert expression.transforms == (ANGLE, Transform(low=0.0))
    np.testing.assert_allclose(expression.score(np.array([[1.0, 4.0]])), [[-np.sin(1), -0.5]])


def test_yaml_says_the_same_as_the_language(tmp_path, rng):
    """Columns by names that YAML 1.1 took for truth values, and a number it took for text."""
    path = tmp_path / "p.yaml"
    path.write_text(
        "# waits and sizes\ncolumns:\n  no: {family: exponential, scale: 2e0}\n"
        "  y:\n    family: gamma\n    shape: 3\n    rate: 5e-1\n"
    )
    product = resolve(str(path), ("y", "no"))
    assert product.columns == ("no", "y")
    X = product.sample(5, rng)
    np.testing.assert_allclose(product.score(X)[:, 1], 2 / X[:, 1] - 0.5)
    path.write_text("logp: a*log(x) - x\nparameters: {a: 2}\nsupport: {x: [0, .inf]}\n")
    assert resolve(str(path), ("x",)).transforms == (Transform(low=0.0),)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "expected a table"),
        ("- 1", "expected a table"),
        ("family: normal\nmean: [1", "cannot be read.*line 2"),
        ("family: normal\nmean: 1\nmean: 2", "mean"),
        ("family: normal\nmean: &m 1\nsd: *m", "write values out"),
        ("family: !!python/object/apply:os.system [ls]", "python/object"),
        ("family: normal\n2: 3", "keys must be texts, found 2"),
        ("columns: {1: {family: normal}}", "keys must be texts, found 1"),
        ("family: normal\nmean: 2024-01-01", "mean must hold numbers"),
        ("family: normal\nmean: " + "[" * 3000, "cannot be read"),
        ("--- {family: normal}\n--- {family: normal}", "cannot be read"),
    ],
)
def test_bad_yaml_is_named(content, named, tmp_path):
    path = tmp_path / "t.yml"
    path.write_text(content)
    with pytest.raises(DataError, match=named) as caught:
        resolve(str(path), ("a",))
    assert "t.yml" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("mean = 3", "family"),
        ('family = "normal"\nmean = "x"', "mean"),
        ('family = "normal"\nmean = nan', "mean"),
        ('family = "normal"\nfit = 1', "fit"),
        ('family = "normal"\ncolumns = []', "columns"),
        ("logp = 3", "logp"),
        ('logp = "a"\nfamily = "x"', "family"),
        ('logp = "a"\nsupport = {a = [3, 1]}', "support.a"),
        ('logp = "a"\nparameters = {s = true}', "s"),
        ("family = ", "cannot be read"),
        ("[columns]\na = 3", "columns.a"),
    ],
)
def test_bad_files_are_named(content, named, tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(content)
    with pytest.raises(DataError, match=named) as caught:
        resolve(str(path), ("a",))
    assert "t.toml" in str(caught.value)


def test_arrays_take_the_names_of_the_target_by_place():
    target = resolve("product(u=normal(), v=gamma(2))", ("1", "2"))
    assert target.columns == ("1", "2")
    with pytest.raises(DataError, match="'u'"):
        resolve("product(u=normal(), v=gamma(2))", ("1", "2", "3"))


@pytest.mark.parametrize(
    "transform", [Transform(), Transform(0, math.inf), Transform(-math.inf, 3), Transform(-1, 2)]
)
def test_transforms_lead_back_and_know_their_slope(transform):
    y = np.linspace(-6, 6, 41)
    x = transform.inverse(y)
    np.testing.assert_allclose(transform.forward(x), y, atol=1e-9)
    np.testing.assert_allclose(np.exp(transform.log_slope(y)), transform.slope(x), rtol=1e-9)
    far = np.array([-800.0, 800.0])
    assert np.isfinite(transform.log_slope(far)).all()
    assert not np.isnan(transform.inverse(far)).any()


@pytest.mark.parametrize("text", [t for t in [*KNOWN, *JOINT] if "von_mises" not in t])
def test_density_on_the_line_has_the_score_on_the_line(text, rng):
    columns = ("a", "b") if text in JOINT else ("a",)
    target = resolve(text, columns)
    Y, S = target.unconstrain(rows_of(target, 20, rng))
    np.testing.assert_allclose(target.unconstrain(target.constrain(Y))[0], Y, rtol=1e-6, atol=1e-6)
    for c in range(len(columns)):
        e = np.zeros(len(columns))
        e[c] = 1e-5
        slope = (target.log_density(Y + e) - target.log_density(Y - e)) / 2e-5
        np.testing.assert_allclose(slope, S[:, c], rtol=1e-4, atol=1e-4)


def test_density_on_the_line_vanishes_where_rows_round_to_the_edge():
    """log x of a gamma distribution of shape 1/2: at x = 0 its density is infinite, its mass
    none."""
    target = resolve("gamma(0.5)", ("a",))
    found = target.log_density(np.array([[-1e3], [-600.0], [0.0], [1e3]]))
    assert np.isneginf(found[[0, 3]]).all()
    assert np.isfinite(found[1:3]).all()
