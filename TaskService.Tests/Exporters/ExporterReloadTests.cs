using TaskService.Telemetry;
using TaskService.Telemetry.Exporters;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>Exporters that are exchanged while operations end.</summary>
public sealed class ExporterReloadTests
{
    [Fact]
    public async Task Each_record_that_comes_while_an_exporter_is_exchanged_is_sent_once()
    {
        const int threads = 4;
        var records = TestRoot.Scale(2_000, 10_000);
        var opened = new List<ScriptedExporter>();
        ExporterSettings[] settings = [Named("one", () =>
        {
            opened.Add(ScriptedExporter.Working());
            return opened[^1];
        })];
        await using (var telemetry = new TelemetrySystem(new TelemetrySettings { Exporters = settings }, Warn))
        {
            var posting = Enumerable.Range(0, threads).Select(id => Task.Factory.StartNew(
                () =>
                {
                    for (var i = 0; i < records; i++)
                    {
                        telemetry.Post(SomeRecords.WithId($"{(id * records) + i}"));
                    }
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToList();
            do
            {
                await telemetry.ApplyAsync(settings, _ => false, () => { });
            }
            while (!posting.TrueForAll(one => one.IsCompleted));
            await Task.WhenAll(posting);
            Assert.Equal("one", Assert.Single(telemetry.Counts).Key);
        }
        Assert.Equal(
            SomeRecords.Ids(0, (threads * records) - 1).Order(StringComparer.Ordinal),
            opened.SelectMany(exporter => exporter.Sent).Order(StringComparer.Ordinal));
        Assert.All(opened, exporter => Assert.True(exporter.IsDisposed));
    }

    [Fact]
    public async Task One_that_is_the_same_stays_open_and_what_cannot_be_opened_changes_nothing()
    {
        var (kept, other) = (ScriptedExporter.Working(), ScriptedExporter.Working());
        var one = Named("kept", () => kept);
        await using var telemetry = new TelemetrySystem(new TelemetrySettings { Exporters = [one] }, Warn);
        ExporterSettings[] wrong = [Named("other", () => other), Named("wrong", () => throw new IOException("no"))];
        await Assert.ThrowsAsync<IOException>(() => telemetry.ApplyAsync(wrong, _ => false, () => { }));
        Assert.True(other.IsDisposed);
        var more = ScriptedExporter.Working();
        await Assert.ThrowsAsync<IOException>(() => telemetry.ApplyAsync(
            [Named("more", () => more)], _ => false, () => throw new IOException("no")));
        Assert.True(more.IsDisposed);
        Assert.Equal("kept", Assert.Single(telemetry.Counts).Key);

        var third = ScriptedExporter.Working();
        await telemetry.ApplyAsync([one, Named("third", () => third)], name => name == "kept", () => { });
        telemetry.Post(SomeRecords.WithId("1"));
        await telemetry.ApplyAsync([Named("third", () => throw new IOException("no"))], _ => true, () => { });
        Assert.Equal(["1"], kept.Sent);
        Assert.True(kept.IsDisposed);
        Assert.False(third.IsDisposed);
        telemetry.Post(SomeRecords.WithId("2"));
        await telemetry.DisposeAsync();
        Assert.Equal(["1", "2"], third.Sent);
        // As a signal that comes while the service stops.
        var late = ScriptedExporter.Working();
        await telemetry.ApplyAsync([Named("late", () => late)], _ => false, () => { });
        Assert.True(late.IsDisposed);
    }

    private static ExporterSettings Named(string name, Func<IExporter> open) => new(
        name, ExporterInput.Operations, open, new ExporterQueueSettings
        {
            RecordsMax = 50_000,
            BytesMax = long.MaxValue,
            BatchDelayMax = TimeSpan.FromMilliseconds(1),
            CloseTimeMax = Until.Limit,
        });

    private static void Warn(string message, string exporter, long count) =>
        Assert.Fail($"{message} {exporter} {count}");
}
