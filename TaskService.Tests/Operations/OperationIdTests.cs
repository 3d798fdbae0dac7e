using System.Text.Json;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>What ties together the operations of one event.</summary>
public sealed class OperationIdTests : IAsyncLifetime
{
    private readonly EventFile events = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => events.DisposeAsync();

    [Fact]
    public async Task A_new_id_has_32_digits_of_which_the_first_8_are_the_second()
    {
        var before = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        events.Telemetry.Start("a").Dispose();
        events.Telemetry.Start("a").Dispose();
        var after = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var ids = Ids(await events.ReadAsync());
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{32}$", id));
        Assert.NotEqual(ids[0], ids[1]);
        Assert.All(ids, id => Assert.InRange(Convert.ToInt64(id[..8], 16), before, after));
    }

    [Fact]
    public async Task Ids_of_later_seconds_sort_later()
    {
        var ids = new List<string>();
        await Until.TrueAsync(
            () =>
            {
                using var operation = events.Telemetry.Start("a");
                ids.Add(operation.Id);
                return ids.Select(id => id[..8]).Distinct().Count() == 3;
            },
            "two seconds to begin");
        var seconds = ids.GroupBy(id => id[..8]).ToList();
        Assert.Equal(ids.Select(id => id[..8]), ids.Order(StringComparer.Ordinal).Select(id => id[..8]));
        Assert.All(seconds.Zip(seconds.Skip(1)), pair => Assert.True(
            string.CompareOrdinal(pair.First.Max(), pair.Second.Min()) < 0));
    }

    [Fact]
    public async Task A_given_id_is_used_and_inherited()
    {
        using (events.Telemetry.Start("request", "outer"))
        {
            using (Operation.Start(".job", "own"))
            {
                Operation.Start(".sql").Dispose();
            }
            Operation.Start(".sql").Dispose();
        }
        Assert.Equal(["own", "own", "outer", "outer"], Ids(await events.ReadAsync()));
    }

    private static List<string> Ids(List<JsonElement> all) =>
        [.. all.Select(one => one.GetProperty("id").GetString()!)];
}
