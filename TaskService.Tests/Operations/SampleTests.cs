using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>Which operations leave an event record.</summary>
public sealed class SampleTests
{
    [Theory]
    [InlineData("request", "request")]
    [InlineData("request", ".")]
    [InlineData("request", "..")]
    [InlineData("request", "^")]
    [InlineData("request", "nobody")]
    public async Task A_rate_of_a_quarter_samples_about_a_quarter_of_a_type(string type, string of)
    {
        await using var events = new EventFile((type, new Sample(of, 0.25)));
        for (var i = 0; i < 1_000; i++)
        {
            events.Telemetry.Start(type).Dispose();
        }
        // Within five standard deviations.
        Assert.InRange((await events.ReadAsync()).Count, 182, 318);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 500)]
    public async Task A_sampling_rate_of_0_is_none_and_of_1_is_all(double rate, int count)
    {
        await using var events = new EventFile(("request", new Sample(".", rate)));
        for (var i = 0; i < 500; i++)
        {
            using var request = events.Telemetry.StartRequest("id", null);
        }
        Assert.Equal(count, (await events.ReadAsync()).Count);
    }

    [Fact]
    public async Task The_sampling_decision_of_the_parent_applies_to_all_children_of_a_type()
    {
        await using var events = new EventFile(
            ("request.sql", new Sample("..", 0.25)), ("request.http", new Sample("..", 0.5)));
        var kept = await ChildrenAsync(events, parents: 400);
        Assert.All(kept.Values, count => Assert.Contains(count, new[] { 0, 10 }));
        Assert.InRange(kept.Count(one => one.Key.StartsWith("request.sql", StringComparison.Ordinal)), 60, 140);
        Assert.InRange(kept.Count(one => one.Key.StartsWith("request.http", StringComparison.Ordinal)), 150, 250);
    }

    [Theory]
    [InlineData("^")]
    [InlineData("request")]
    public async Task The_sampling_decision_of_another_operation_applies_to_all_that_refer_to_it(string of)
    {
        await using var events = new EventFile(
            ("request.sql", new Sample(of, 0.25)), ("request.http", new Sample(of, 0.25)));
        var kept = await ChildrenAsync(events, parents: 400);
        var ofRequests = kept
            .GroupBy(one => one.Key.Split(' ')[1])
            .Select(group => group.Sum(one => one.Value))
            .ToList();
        Assert.All(ofRequests, count => Assert.Equal(20, count));
        Assert.InRange(ofRequests.Count, 60, 140);
    }

    [Theory]
    [InlineData("^")]
    [InlineData("request")]
    public async Task Each_type_has_its_own_rate_of_a_shared_sampling_decision(string of)
    {
        await using var events = new EventFile(("request.sql", new Sample(of, 1)), ("request.http", new Sample(of, 0)));
        var kept = await ChildrenAsync(events, parents: 20);
        Assert.Equal(20, kept.Count);
        Assert.All(kept, one => Assert.StartsWith("request.sql ", one.Key, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_parent_without_an_event_has_children_without_events()
    {
        await using var events = new EventFile(("request", new Sample(".", 0)));
        using (events.Telemetry.StartRequest("id", null))
        {
            using (Operation.Start(".sql"))
            {
                Operation.Start(".deep").Dispose();
            }
            Operation.Start("request.extra").Dispose();
            Operation.Start("other").Dispose();
        }
        Assert.Equal(["other"], (await events.ReadAsync()).Select(one => one.GetProperty("type").GetString()));
    }

    [Theory]
    [InlineData("memcache", ".memcache")]
    [InlineData(".memcache", ".memcache")]
    [InlineData("..", ".memcache")]
    [InlineData("nobody.there", ".memcache")]
    [InlineData("", ".memcache")]
    public async Task The_own_name_an_unknown_one_or_a_missing_parent_is_a_decision_for_each(
        string of, string name)
    {
        await using var events = new EventFile();
        for (var i = 0; i < 1_000; i++)
        {
            events.Telemetry.Start(name, sample: new Sample(of, 0.25)).Dispose();
        }
        Assert.InRange((await events.ReadAsync()).Count, 182, 318);
    }

    [Theory]
    [InlineData("memcache")]
    [InlineData(".memcache")]
    [InlineData("request.memcache")]
    [InlineData(".")]
    [InlineData("nobody.there")]
    public async Task Within_a_request_the_own_name_or_an_unknown_one_is_a_decision_for_each_too(string of)
    {
        await using var events = new EventFile(("request.memcache", new Sample(of, 0.25)));
        for (var i = 0; i < 100; i++)
        {
            using var request = events.Telemetry.Start("request", $"{i}");
            for (var child = 0; child < 10; child++)
            {
                Operation.Start(".memcache").Dispose();
            }
        }
        var kept = (await events.ReadAsync())
            .Where(one => one.GetProperty("type").GetString() == "request.memcache")
            .CountBy(one => one.GetProperty("id").GetString()!)
            .ToList();
        Assert.InRange(kept.Sum(one => one.Value), 182, 318);
        // One coin for all of a request would keep ten of each or none.
        Assert.InRange(kept.Count(one => one.Value < 10), 50, 100);
    }

    /// <returns>How many events there are, by type and request.</returns>
    private static async Task<Dictionary<string, int>> ChildrenAsync(EventFile events, int parents)
    {
        for (var parent = 0; parent < parents; parent++)
        {
            using var request = events.Telemetry.Start("request", $"{parent}");
            for (var child = 0; child < 10; child++)
            {
                Operation.Start(".sql").Dispose();
                Operation.Start(".http").Dispose();
            }
        }
        return (await events.ReadAsync())
            .Select(one => $"{one.GetProperty("type").GetString()} {one.GetProperty("id").GetString()}")
            .Where(key => !key.StartsWith("request ", StringComparison.Ordinal))
            .CountBy(key => key)
            .ToDictionary();
    }
}
