using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Logs;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

/// <summary>What a log provider of someone else's gets of the lines that the service writes.</summary>
public sealed class ForeignProviderTests
{
    private static readonly FieldList Fields = Some(
        new("a", "text"), new("message", "RESPONSE"), new("status", 200),
        new("time_ms", TimeSpan.FromMicroseconds(1691)), new("trace", "System.Exception"), new("none", default),
        new("list", FieldValue.FromList(1, "x")));

    private static readonly KeyValuePair<string, object?>[] Pairs =
    [
        new("a", "text"), new("status", 200L), new("time_ms", 1.691), new("none", null),
        new("list", new object?[] { 1L, "x" }), new("{OriginalFormat}", "RESPONSE"),
    ];

    [Fact]
    public void The_state_of_a_line_is_a_list_of_its_values_that_ends_with_its_template()
    {
        var state = new LogFields(Fields);
        Assert.Equal("RESPONSE", state.ToString());
        Assert.Equal(Pairs.Length, state.Count);
        Assert.Equal(Pairs, state);
        Assert.Equal(Pairs, Enumerable.Range(0, state.Count).Select(index => state[index]));
        Assert.Throws<ArgumentOutOfRangeException>(() => state[Pairs.Length]);
        Assert.Throws<ArgumentOutOfRangeException>(() => state[-1]);
    }

    [Fact]
    public async Task A_batch_of_OpenTelemetry_holds_each_request_with_its_own_values()
    {
        var exporter = new Batches();
        using var files = new LogFiles();
        await using (var service = await RunningService.StartAsync(
            logging: files.Yaml,
            setup: builder => builder.Logging.AddOpenTelemetry(options =>
            {
                options.IncludeFormattedMessage = true;
                options.AddProcessor(new BatchLogRecordExportProcessor(exporter));
            })))
        {
            await Task.WhenAll(Enumerable.Range(0, 50).Select(async number =>
            {
                using var response = await service.SendAsync("GET", $"/tasks/{number}");
            }));
            await service.StopAsync();
        }
        var responses = exporter.Records.Where(record => record.Body == "RESPONSE").ToList();
        Assert.Equal(
            Enumerable.Range(0, 50).Select(number => $"/tasks/{number}").Order(StringComparer.Ordinal),
            responses.Select(record => (string?)record.Values["uri"]).Order(StringComparer.Ordinal));
        Assert.All(responses, record =>
        {
            Assert.Equal(("taskservice", LogLevel.Warning, 404L), (
                record.Logger, record.Level, record.Values["status"]));
            Assert.IsType<double>(record.Values["time_ms"]);
            Assert.Equal("127.0.0.1", record.Values["ip"]);
        });
        Assert.Equal(50, exporter.Records.Count(record => record.Body == "REQUEST"));
        Assert.Equal(
            ["STARTING", "SHUTTING DOWN", "STOPPED"],
            exporter.Records.Select(record => record.Body).Where(body => body is not ("REQUEST" or "RESPONSE")));
        // The same lines, in our own files.
        Assert.Equal(exporter.Records.Count, files.Read("json").Length);
    }

    [Fact]
    public async Task A_provider_that_throws_costs_no_request_and_no_line()
    {
        using var files = new LogFiles();
        using (var counted = new LimitHits())
        {
            await using var service = await RunningService.StartAsync(
                logging: files.Yaml,
                setup: builder => builder.Services.AddSingleton<ILoggerProvider>(new Throwing()));
            using var response = await service.SendAsync("GET", "/tasks");
            Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(3, (await files.LinesAsync("logfmt", 3)).Length);
            Assert.True(counted["taskservice.log.provider.failures"] >= 3);
        }
    }

    [Fact]
    public async Task The_exception_of_a_request_is_that_of_its_event()
    {
        var lines = new Kept();
        await using var app = await ObservedApp.StartAsync(
            addServices: services => services.AddSingleton<ILoggerProvider>(lines));
        await app.GetAsync("/throws");
        await Until.TrueAsync(() => lines.Lines.Any(line => line.Message == "RESPONSE"), "the line of the request");
        var (_, exception, keys) = Assert.Single(lines.Lines, line => line.Message == "RESPONSE");
        Assert.IsType<InvalidDataException>(exception);
        Assert.DoesNotContain("trace", keys);
        Assert.StartsWith(
            "System.IO.InvalidDataException: broken", (await app.LinesAsync(2))[1]["trace"], StringComparison.Ordinal);
    }

    private static FieldList Some(params ReadOnlySpan<Field> fields)
    {
        var list = new FieldList();
        list.Append(fields);
        return list;
    }

    private sealed class Batches : BaseExporter<LogRecord>
    {
        public ConcurrentQueue<(string? Logger, LogLevel Level, string? Body, Dictionary<string, object?> Values)>
            Records
        { get; } = new();

        public override ExportResult Export(in Batch<LogRecord> batch)
        {
            foreach (var record in batch)
            {
                Records.Enqueue((
                    record.CategoryName, record.LogLevel, record.FormattedMessage,
                    record.Attributes!.ToDictionary(pair => pair.Key, pair => pair.Value)));
            }
            return ExportResult.Success;
        }
    }

    private abstract class Provider : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public abstract void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter);

        public void Dispose()
        {
            // Nothing is open.
        }
    }

    private sealed class Throwing : Provider
    {
        public override void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => throw new InvalidOperationException("thrown by a provider");
    }

    private sealed class Kept : Provider
    {
        public ConcurrentQueue<(string Message, Exception? Exception, string[] Keys)> Lines { get; } = new();

        public override void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Enqueue((
                formatter(state, exception),
                exception,
                [.. ((IEnumerable<KeyValuePair<string, object?>>)state!).Select(pair => pair.Key)]));
    }
}
