using System.Globalization;
using System.Text.Json;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>What operations are called, what they hold, and what becomes of it.</summary>
public sealed class OperationTests : IAsyncLifetime
{
    private readonly EventFile events = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => events.DisposeAsync();

    [Fact]
    public async Task An_operation_leaves_one_event_with_all_that_was_set()
    {
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000m;
        using (var operation = events.Telemetry.Start("work"))
        {
            operation.Set("text", "a\"b");
            operation.Add("number", 1);
            operation.Append("list", true);
        }
        var one = Assert.Single(await events.ReadAsync());
        Assert.Equal("work", one.GetProperty("type").GetString());
        Assert.Equal(Environment.MachineName, one.GetProperty("host").GetString());
        Assert.Equal(Environment.ProcessId, one.GetProperty("pid").GetInt32());
        var (start, end) = (one.GetProperty("start").GetDecimal(), one.GetProperty("end").GetDecimal());
        Assert.InRange(start, before, end);
        Assert.Matches("^[0-9a-f]{32}$", one.GetProperty("trace_id").GetString());
        Assert.Matches("^[0-9a-f]{16}$", one.GetProperty("span_id").GetString());
        Assert.Equal("""{"text":"a\"b","number":1,"list":[true]}""", one.GetProperty("body").GetRawText());
    }

    [Fact]
    public Task A_dotted_key_is_an_object_within_an_object() => AssertBodyAsync(
        """{"a":{"b":{"c":1,"d":2},"e":3},"f":4,"g":{"0":5}}""",
        operation =>
        {
            operation.Set("a.b.c", 1);
            operation.Set("f", 4);
            operation.Set("a.e", 3);
            operation.Set("a.b.d", 2);
            operation.Set("g.0", 5);
        });

    [Fact]
    public Task Several_values_are_a_list_members_are_merged_numbers_are_summed_and_items_appended() => AssertBodyAsync(
        """{"two":[1,"b"],"user":{"name":"n","age":2},"sum":3.5,"all":["x",2],"time":2.500}""",
        operation =>
        {
            operation.SetList("two", 1, "b");
            operation.SetMembers("user", new Field("name", "m"), new Field("age", 2));
            operation.SetMembers("user", new Field("name", "n"));
            operation.Add("sum", 1);
            operation.Add("sum", 2.5);
            operation.Append("all", "x");
            operation.Append("all", 2);
            operation.Add("time", TimeSpan.FromMilliseconds(1));
            operation.Add("time", TimeSpan.FromMilliseconds(1.5));
        });

    [Fact]
    public async Task Changes_that_are_late_or_invalid_are_ignored_and_counted()
    {
        using var hits = new LimitHits();
        var operation = events.Telemetry.Start("work");
        operation.Set("a", "text");
        operation.Set("a.b", 1);
        operation.Add("a", 1);
        operation.Append("a", 1);
        operation.Set(null!, 1);
        operation.Add(null!, 1);
        operation.Append(null!, 1);
        operation.Dispose();
        operation.Set("late", 1);
        Operation.Current?.Set("a", "not there any more");
        Assert.Equal("""{"a":"text"}""", Body(await events.ReadAsync()));
        Assert.All(
            new[] { "below-a-value", "not-a-number", "not-a-list", "no-key", "ended" },
            reason => Assert.InRange(hits[$"taskservice.operation.ignored {reason}"], 1, long.MaxValue));
    }

    [Fact]
    public async Task Whatever_changes_an_operation_after_its_end_is_counted()
    {
        Action<Operation>[] changes =
        [
            operation => operation.Set("late", 1),
            operation => operation.Add("late", 1),
            operation => operation.Append("late", 1),
            operation => operation.Time("late").Dispose(),
        ];
        var operation = events.Telemetry.Start("work");
        operation.Dispose();
        foreach (var change in changes)
        {
            using var hits = new LimitHits();
            // Other tests may do so at the same time, but never so often.
            for (var i = 0; i < 1_000; i++)
            {
                change(operation);
            }
            Assert.InRange(hits["taskservice.operation.ignored ended"], 1_000, long.MaxValue);
        }
        Assert.Equal("{}", Body(await events.ReadAsync()));
    }

    [Fact]
    public Task A_value_replaces_the_fields_below_it() => AssertBodyAsync(
        """{"a":1}""",
        operation =>
        {
            operation.Set("a.b", 1);
            operation.Set("a.c.d", 1);
            operation.Set("a", 1);
        });

    [Fact]
    public async Task Fields_and_items_beyond_the_limits_are_ignored_and_counted()
    {
        using var hits = new LimitHits();
        var fields = Enumerable.Range(0, FieldList.ItemsMax + 5).ToList();
        var expected = string.Join(',', fields.Take(FieldList.ItemsMax - 1).Select(i => $"\"f{i}\":{i}"));
        var items = string.Join(',', Enumerable.Range(0, FieldList.ListItemsMax));
        await AssertBodyAsync(
            $$"""{"list":[{{items}}],{{expected}}}""",
            operation =>
            {
                for (var i = 0; i < FieldList.ListItemsMax + 5; i++)
                {
                    operation.Append("list", i);
                }
                fields.ForEach(i => operation.Set(string.Create(CultureInfo.InvariantCulture, $"f{i}"), i));
            });
        // No other test has so many.
        Assert.Equal(5, hits["taskservice.operation.ignored list-items-max"]);
        Assert.Equal(6, hits["taskservice.operation.ignored fields-max"]);
    }

    [Theory]
    [InlineData("request", ".sql", "request.sql", true)]
    [InlineData("request", "request.extra", "request.extra", true)]
    [InlineData("request", "other", "other", false)]
    [InlineData("request", "requester.x", "requester.x", false)]
    [InlineData("test.foo", ".foo.bar", "test.foo.bar", true)]
    [InlineData("request.sql", ".sql", "request.sql", true)]
    [InlineData("request", "^.x", "request.x", true)]
    public async Task A_name_determines_the_parent(string outer, string name, string type, bool sameId)
    {
        using (events.Telemetry.Start(outer))
        {
            Operation.Start(name).Dispose();
        }
        var both = await events.ReadAsync();
        Assert.Equal([type, outer], Types(both));
        Assert.Equal(sameId, Ids(both).Distinct().Count() == 1);
        // Whatever it is called, what caused it is the one that it ran in.
        Assert.Equal(both[1].GetProperty("span_id").GetString(), both[0].GetProperty("parent_id").GetString());
        Assert.Equal(both[1].GetProperty("trace_id").GetString(), both[0].GetProperty("trace_id").GetString());
    }

    [Fact]
    public async Task An_operation_without_a_parent_is_named_without_the_dot()
    {
        events.Telemetry.Start(".sql").Dispose();
        events.Telemetry.Start("^.sql").Dispose();
        Assert.Equal(["sql", "sql"], Types(await events.ReadAsync()));
    }

    [Fact]
    public async Task Three_levels_share_one_id_and_children_come_before_their_parents()
    {
        using (events.Telemetry.Start("request", "given"))
        using (Operation.Start(".a"))
        using (Operation.Start(".b"))
        {
            Operation.Start("^.c").Dispose();
        }
        var all = await events.ReadAsync();
        Assert.Equal(["request.c", "request.a.b", "request.a", "request"], Types(all));
        Assert.All(Ids(all), id => Assert.Equal("given", id));
    }

    [Fact]
    public async Task Outside_of_operations_changes_and_timings_are_ignored()
    {
        Assert.Null(Operation.Current);
        Operation.Current?.Set("a", 1);
        Operation.Current?.Add("a", 1);
        Operation.Current?.Append("a", 1);
        Operation.Current?.Time("a").Dispose();
        Assert.Empty(await events.ReadAsync());
    }

    [Fact]
    public async Task An_operation_that_ends_twice_leaves_one_event()
    {
        var operation = events.Telemetry.Start("a");
        operation.Dispose();
        operation.Dispose();
        Assert.Single(await events.ReadAsync());
    }

    [Fact]
    public async Task An_exception_is_recorded_and_rethrown_and_the_events_are_complete()
    {
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            using (events.Telemetry.Start("request"))
            {
                await Operation.RunAsync<int>(".sql", _ => throw new InvalidDataException("one\ntwo"));
            }
        });
        var all = await events.ReadAsync();
        Assert.Equal(["request.sql", "request"], Types(all));
        Assert.StartsWith(
            "System.IO.InvalidDataException: one\ntwo",
            all[0].GetProperty("body").GetProperty("exception").GetString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_of_a_quarter_of_a_second_is_250_milliseconds()
    {
        using (var operation = events.Telemetry.Start("a"))
        {
            using (Operation.Current?.Time("waited"))
            {
                using var wait = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
                await wait.WaitForNextTickAsync();
            }
        }
        var waited = Assert.Single(await events.ReadAsync()).GetProperty("body").GetProperty("waited").GetDouble();
        Assert.InRange(waited, 245, 60_000);
    }

    [Fact]
    public async Task Work_that_outlives_its_request_is_no_child_and_no_ended_operation_is_current()
    {
        var request = events.Telemetry.Start("request");
        var inner = Operation.Start(".inner");
        request.Dispose();
        Operation.Start("request.cache").Dispose();
        inner.Dispose();
        Assert.Null(Operation.Current);
        var all = await events.ReadAsync();
        Assert.Equal(["request", "request.cache", "request.inner"], Types(all));
        Assert.Equal(Ids(all)[0], Ids(all)[2]);
        Assert.NotEqual(Ids(all)[0], Ids(all)[1]);
    }

    [Fact]
    public async Task Nested_operations_of_one_name_keep_their_own_data()
    {
        using (events.Telemetry.Start("request"))
        using (Operation.Start(".sql"))
        {
            Operation.Current?.Set("level", 1);
            using (Operation.Start(".sql"))
            {
                Operation.Current?.Set("level", 2);
            }
            Operation.Current?.Set("outer", true);
        }
        var all = await events.ReadAsync();
        Assert.Equal(["request.sql", "request.sql", "request"], Types(all));
        Assert.Equal("""{"level":2}""", all[0].GetProperty("body").GetRawText());
        Assert.Equal("""{"level":1,"outer":true}""", all[1].GetProperty("body").GetRawText());
    }

    [Fact]
    public Task A_decimal_is_text_a_date_a_day_a_time_seconds_and_an_unconvertible_object_its_type() => AssertBodyAsync(
        """{"d":"6.66","day":"2013-12-10","at":1386633600.5,"utc":1386633600,"nan":"NaN","l":[1,[null,"x"]],"self":"""
        + $"\"{typeof(Broken).FullName}\"}}",
        operation =>
        {
            operation.Set("d", FieldValue.From(6.66m));
            operation.Set("day", FieldValue.From(new DateOnly(2013, 12, 10)));
            operation.Set("at", FieldValue.From(DateTimeOffset.FromUnixTimeMilliseconds(1386633600500)));
            operation.Set("utc", FieldValue.From(new DateTime(2013, 12, 10, 0, 0, 0, DateTimeKind.Utc)));
            operation.Set("nan", double.NaN);
            operation.Set("l", FieldValue.From(new object?[] { 1, new object?[] { null, "x" } }));
            operation.Set("self", FieldValue.From(new Broken()));
        });

    [Fact]
    public Task A_list_that_contains_itself_is_cut() => AssertBodyAsync(
        """{"self":[1,[1,[1,[1,"System.Object[]"]]]],"many":1000}""",
        operation =>
        {
            var self = new object[] { 1, null! };
            self[1] = self;
            operation.Set("self", FieldValue.From(self));
            // Of each there are ten thousand millions within each other.
            var many = new object[1_000];
            Array.Fill(many, many);
            operation.Set("many", CountIn(FieldValue.From(many)));
        });

    [Fact]
    public async Task A_hundred_operations_at_once_never_mix()
    {
        var turns = new SemaphoreSlim(0);
        var all = Enumerable.Range(0, 100).Select(async number =>
        {
            using (events.Telemetry.Start("request", $"id{number}"))
            {
                Operation.Current?.Set("number", number);
                await turns.WaitAsync();
                await Task.Yield();
                using (Operation.Start(".sql"))
                {
                    Operation.Current?.Set("number", number);
                    await Task.Yield();
                }
                Operation.Current?.Add("number", 1_000);
            }
        }).ToList();
        turns.Release(100);
        await Task.WhenAll(all);
        var read = await events.ReadAsync();
        Assert.Equal(200, read.Count);
        Assert.All(read, one =>
        {
            var number = one.GetProperty("body").GetProperty("number").GetInt32();
            var expected = one.GetProperty("type").GetString() == "request" ? number - 1_000 : number;
            Assert.Equal($"id{expected}", one.GetProperty("id").GetString());
        });
    }

    private static long CountIn(FieldValue value) => value.Items.Sum(item => 1 + CountIn(item));

    private static List<string> Types(List<JsonElement> all) =>
        [.. all.Select(one => one.GetProperty("type").GetString()!)];

    private static List<string> Ids(List<JsonElement> all) =>
        [.. all.Select(one => one.GetProperty("id").GetString()!)];

    private static string Body(List<JsonElement> all) => Assert.Single(all).GetProperty("body").GetRawText();

    private async Task AssertBodyAsync(string expected, Action<Operation> work)
    {
        using (var operation = events.Telemetry.Start("work"))
        {
            work(operation);
        }
        Assert.Equal(expected, Body(await events.ReadAsync()));
    }

    private sealed class Broken
    {
        public override string ToString() => throw new InvalidOperationException("no text");
    }
}
