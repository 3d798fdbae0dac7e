using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

public sealed class MetricNameTests
{
    [Fact]
    public void A_request_is_named_by_its_method_route_and_status()
    {
        var name = MetricName.Of(SomeRecord.Request("/tasks/{id}"));
        Assert.Equal(["route", "GET", "/tasks/{id}", "200"], name.Flat);
        Assert.Equal(["route"], name.Parts);
        Assert.Equal(
            [new("method", "GET"), new("route", "/tasks/{id}"), new KeyValuePair<string, string>("status", "200")],
            name.Tags);
    }

    [Fact]
    public void An_unknown_method_makes_no_name_of_its_own() =>
        Assert.Equal(
            ["route", "_OTHER", "/tasks", "405"],
            FlatOf("request", new("method", "BREW"), new("route", "/tasks"), new("status", 405)));

    [Fact]
    public void A_request_without_one_of_them_is_named_by_its_type()
    {
        Field[] all = [new("method", "GET"), new("route", "/tasks"), new("status", 200)];
        foreach (var missing in all)
        {
            Assert.Equal(["request"], FlatOf("request", [.. all.Where(field => field != missing)]));
        }
        Assert.Equal(["request"], FlatOf("request", all[0], all[1], new("status", "200")));
        Assert.Equal(["request", "httpclient"], FlatOf("request.httpclient", all));
    }

    [Theory]
    [InlineData("sql", "sql|SELECT FROM t")]
    [InlineData("request.sql", "sql|SELECT FROM t")]
    [InlineData("nosql", "nosql")]
    [InlineData("sql.pool", "sql|pool")]
    public void A_query_is_named_by_what_it_does(string type, string name) =>
        Assert.Equal(name, string.Join('|', FlatOf(type, new Field("query", "SELECT a FROM t"))));

    [Fact]
    public void Any_number_of_queries_keep_their_names()
    {
        for (var i = 0; i < 2_500; i++)
        {
            Assert.Equal(["sql", $"SELECT FROM t{i}"], FlatOf("sql", new Field("query", $"SELECT a FROM t{i}")));
        }
        var comment = new string('x', 5_000);
        Assert.Equal(["sql", "SELECT FROM t"], FlatOf("sql", new Field("query", $"SELECT a FROM t -- {comment}")));
    }

    [Fact]
    public void An_operation_of_sql_without_a_query_is_named_by_its_type() =>
        Assert.Equal(["request", "sql"], FlatOf("request.sql", new Field("query", 1)));

    [Theory]
    [InlineData("SELECT hello.id.. \nFROM hello \n LIMIT %(param_1)s", "SELECT FROM hello LIMIT ?")]
    [InlineData("\tselect a, b\r\n  from  t;\n", "select from t;")]
    [InlineData("SELECT a FROM t WHERE b IN (SELECT c FROM u)", "SELECT FROM t WHERE b IN (SELECT FROM u)")]
    [InlineData("SELECT 1", "SELECT ?")]
    [InlineData("SELECT a_from FROM_t", "SELECT a_from FROM_t")]
    [InlineData("INSERT INTO t (a, b) VALUES (1, 2), (3, 4)", "INSERT INTO t")]
    [InlineData("INSERT INTO t(a) SELECT b FROM u", "INSERT INTO t")]
    [InlineData("INSERT INTO t VALUES (1, 2), (3, 4)", "INSERT INTO t VALUES")]
    [InlineData("UPDATE t SET a = 1, b = @b WHERE id = @id", "UPDATE t SET WHERE id = ?")]
    [InlineData("DELETE FROM t WHERE id IN (1, 2, 3)", "DELETE FROM t WHERE id IN (?)")]
    [InlineData("DELETE FROM t WHERE id IN (%(a)s, $2, :c)", "DELETE FROM t WHERE id IN (?)")]
    [InlineData("DELETE FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "DELETE FROM t WHERE (a, b) IN (?)")]
    [InlineData("CALL f(@name, $1, :name, %(name)s, %s, ?, ?1)", "CALL f(?, ?, ?, ?, ?, ?, ?)")]
    [InlineData("CALL f(@@version, a::text, $1::int)", "CALL f(@@version, a::text, ?::int)")]
    public void Columns_values_and_blanks_of_a_query_are_left_out(string query, string simplified) =>
        Assert.Equal(simplified, MetricName.Simplify(query));

    [Theory]
    [InlineData("CALL f('secret', 42, -1.5e3, 0x1F, .5)", "CALL f(?, ?, -?, ?, ?)")]
    [InlineData("CALL f('it''s', E'it\\'s', e'\\\\', N'x', X'1F')", "CALL f(?, ?, ?, ?, ?)")]
    [InlineData("CALL f('C:\\', 'secret')", "CALL f(?, ?)")]
    [InlineData("CALL f($$it's$$, $a$ $$ $b$ $a$, 1)", "CALL f(?, ?, ?)")]
    [InlineData("CALL f('SELECT a FROM b', ' SET x WHERE ', 'IN (1)')", "CALL f(?, ?, ?)")]
    [InlineData("DELETE FROM t WHERE a IN ('x)', 'secret')", "DELETE FROM t WHERE a IN (?)")]
    [InlineData("CALL f('secret", "CALL f(?")]
    [InlineData("CALL f($$secret", "CALL f(?")]
    [InlineData("CALL t2.c3_4(\"it's 5 :a\", `it's 6`, 7)", "CALL t2.c3_4(\"it's 5 :a\", `it's 6`, ?)")]
    [InlineData("CALL f() -- it's 1\n, 'a' /* it's\n2 */, 3 /* 4", "CALL f() , ? , ?")]
    public void No_literal_is_shown(string query, string simplified) =>
        Assert.Equal(simplified, MetricName.Simplify(query));

    [Theory]
    [InlineData("SELECT ")]
    [InlineData("IN ((")]
    [InlineData("INSERT INTO ")]
    [InlineData("$a$ ")]
    [InlineData("'")]
    [InlineData("(")]
    public void A_hostile_query_is_simplified_in_bounded_time(string piece)
    {
        var name = MetricName.Simplify("x " + string.Concat(Enumerable.Repeat(piece, 1_000_000)));
        // What the name is when time runs out begins otherwise.
        Assert.StartsWith("x ", name, StringComparison.Ordinal);
        Assert.InRange(name.Length, 3, 4096);
    }

    private static IReadOnlyList<string> FlatOf(string type, params Field[] fields) =>
        MetricName.Of(SomeRecord.Of(type, fields)).Flat;
}
