using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>Levels of loggers that an operator shows and changes.</summary>
public sealed class LogLevelTests
{
    [Fact]
    public async Task A_logger_has_its_own_level_or_inherits_that_of_the_nearest_one_above()
    {
        await using var service = await OperatedService.StartAsync("""
            logging:
              handlers:
                console: { type: console, level: none }
                other: { type: console, level: critical }
              loggers: { Some: { level: error, handlers: [other] } }
              root: { level: warning, handlers: [console] }
            """);
        Assert.Equal(("NOTSET", "WARNING"), await GetAsync("x"));
        Assert.Equal(("ERROR", "ERROR"), await GetAsync("Some"));
        Assert.Equal(("NOTSET", "ERROR"), await GetAsync("some.Logger"));

        Assert.Equal(("DEBUG", "DEBUG"), await PutAsync("x", "DEBUG"));
        Assert.Equal(("NOTSET", "DEBUG"), await GetAsync("x.sub"));
        Assert.Equal(("NOTSET", "DEBUG"), await GetAsync("X.Sub"));
        // Python's tools change with GET.
        Assert.Equal(("INFO", "INFO"), Levels(await service.JsonAsync("GET", "logging/level?name=X&level=info")));
        Assert.Equal(("NOTSET", "INFO"), await GetAsync("x.sub"));
        Assert.Equal(("TRACE", "TRACE"), await PutAsync("x.sub.deep", "trace"));
        Assert.Equal(("NONE", "NONE"), await PutAsync("some.Logger", "None"));
        Assert.Equal(("NOTSET", "INFO"), await GetAsync("x.subject"));

        var all = await service.JsonAsync("GET", "logging/level");
        Assert.Equal(
            """{"status":200,"overrides":{"some.Logger":"NONE","X":"INFO","x.sub.deep":"TRACE"},"until":{}}""",
            $"{all}");

        Assert.Equal(("NOTSET", "WARNING"), await PutAsync("x", "NOTSET"));
        Assert.Equal(("NOTSET", "ERROR"), await PutAsync("some.Logger", "notset"));
        Assert.Equal(("WARNING", "WARNING"), await GetAsync("root"));
        Assert.Equal(("CRITICAL", "CRITICAL"), await PutAsync("root", "critical"));
        Assert.Equal(("NOTSET", "CRITICAL"), await GetAsync("x"));
        Assert.Equal(("ERROR", "ERROR"), await GetAsync("Some"));

        var handlers = (await service.JsonAsync("GET", "logging/level?name=Some.Logger")).GetProperty("handlers");
        Assert.Equal("""{"other":"CRITICAL","console":"NONE"}""", $"{handlers}");

        async Task<(string?, string?)> GetAsync(string name) =>
            Levels(await service.JsonAsync("GET", $"logging/level?name={name}"));

        async Task<(string?, string?)> PutAsync(string name, string level) =>
            Levels(await service.JsonAsync("PUT", $"logging/level?name={name}&level={level}"));
    }

    [Fact]
    public async Task Loggers_that_exist_follow_at_once_to_any_provider()
    {
        var lines = new Kept();
        await using var service = await OperatedService.StartAsync(
            "logging: { loggers: { taskservice: { level: info } }, root: { handlers: [none] },"
            + " handlers: { none: { type: console, level: none } } }",
            builder =>
            {
                builder.Services.AddSingleton<ILoggerProvider>(lines);
                // Which ranks above rules of all providers.
                builder.Logging.AddFilter<Kept>("taskservice", LogLevel.Information);
            });
        Assert.Equal(0, await DebugLinesAsync());
        await service.JsonAsync("PUT", "logging/level?name=taskservice&level=DEBUG");
        Assert.Equal(1, await DebugLinesAsync());
        await service.JsonAsync("PUT", "logging/level?name=taskservice&level=INFO");
        Assert.Equal(1, await DebugLinesAsync());
        await service.JsonAsync("PUT", "logging/level?name=root&level=DEBUG");
        Assert.Equal(1, await DebugLinesAsync());
        await service.JsonAsync("PUT", "logging/level?name=taskservice&level=NONE");
        var count = lines.Lines.Count(line => line.Logger == "taskservice");
        await DebugLinesAsync();
        Assert.Equal(count, lines.Lines.Count(line => line.Logger == "taskservice"));

        async Task<int> DebugLinesAsync()
        {
            using var response = await service.Users.GetAsync(new Uri("/tasks", UriKind.Relative));
            return lines.Lines.Count(line => line is { Level: LogLevel.Debug, Message: "REQUEST" }
                && Equals(line.Values["uri"], "/tasks"));
        }
    }

    [Fact]
    public async Task Each_change_is_one_critical_record_that_says_who_made_it()
    {
        var lines = new Kept();
        await using var service = await OperatedService.StartAsync(
            setup: builder => builder.Services.AddSingleton<ILoggerProvider>(lines));
        using var response = await service.SendAsync(
            "PUT", "logging/level?name=a.b&level=DEBUG", ("X-Request-ID", "me"));
        await service.JsonAsync("PUT", "logging/level?name=taskservice&level=NONE&for=24h");
        await service.JsonAsync("PUT", "logging/level?name=taskservice&level=NOTSET");
        await service.JsonAsync("GET", "logging/level?name=a.b");
        Assert.Equal(
            [
                "Logging of a.b changed from NOTSET to DEBUG", "Logging of taskservice changed from INFO to NONE",
                "Logging of taskservice changed from NONE to INFO",
            ],
            lines.Critical.Select(line => line.Message));
        Assert.All(
            lines.Critical, line => Assert.Equal(("taskservice", "127.0.0.1"), (line.Logger, line.Values["ip"])));
        Assert.Equal("me", lines.Critical[0].Values["req_id"]);
        Assert.DoesNotContain("until", lines.Critical[0].Values);
        Assert.Contains("until", lines.Critical[1].Values);
    }

    [Fact]
    public async Task The_end_of_a_level_is_not_said_to_be_of_the_request_that_set_it()
    {
        var lines = new Kept();
        await using var service = await OperatedService.StartAsync(
            setup: builder => builder.Services.AddSingleton<ILoggerProvider>(lines));
        await service.JsonAsync("PUT", "logging/level?name=x&level=DEBUG&for=1s");
        await Until.TrueAsync(() => lines.Critical.Length == 2, "the end of the level");
        Assert.Contains("req_id", lines.Critical[0].Values);
        Assert.DoesNotContain("req_id", lines.Critical[1].Values);
    }

    [Fact]
    public async Task A_level_for_some_time_ends_by_itself_and_what_was_before_is_back()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 26, 23, 30, 0, TimeSpan.Zero));
        var lines = new Kept();
        await using var service = await OperatedService.StartAsync(setup: builder =>
            builder.Services.AddSingleton<ILoggerProvider>(lines).AddSingleton<TimeProvider>(time));
        await service.JsonAsync("PUT", "logging/level?name=x&level=INFO");
        await service.JsonAsync("PUT", "logging/level?name=x&level=ERROR&for=1h");
        var set = await service.JsonAsync("PUT", "logging/level?name=X&level=DEBUG&for=15m");
        Assert.Equal("2026-11-26T23:45:00Z", set.GetProperty("until").GetString());
        await service.JsonAsync("PUT", "logging/level?name=y&level=TRACE&for=900s");
        await service.JsonAsync("PUT", "logging/level?name=z&level=ERROR&for=24h");
        var all = await service.JsonAsync("GET", "logging/level");
        Assert.Equal("DEBUG", all.GetProperty("overrides").GetProperty("x").GetString());
        Assert.Equal("2026-11-26T23:45:00Z", all.GetProperty("until").GetProperty("y").GetString());

        time.Advance(TimeSpan.FromMinutes(15) - TimeSpan.FromTicks(1));
        Assert.Equal(("DEBUG", "DEBUG"), await LevelsAsync("x"));
        Assert.Equal(5, lines.Critical.Length);
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(("INFO", "INFO"), await LevelsAsync("x"));
        Assert.Equal(("NOTSET", "WARNING"), await LevelsAsync("y"));
        Assert.Equal(
            ["Logging of X changed from DEBUG to INFO", "Logging of y changed from TRACE to NOTSET"],
            lines.Critical[5..].Select(line => line.Message));
        Assert.All(lines.Critical[5..], line => Assert.Equal("its time is over", line.Values["reason"]));
        time.Advance(TimeSpan.FromHours(23));
        Assert.Equal(("ERROR", "ERROR"), await LevelsAsync("z"));
        time.Advance(TimeSpan.FromMinutes(45));
        Assert.Equal("""{"status":200,"overrides":{"x":"INFO"},"until":{}}""", $"{await AllAsync(service)}");

        async Task<(string?, string?)> LevelsAsync(string name) =>
            Levels(await service.JsonAsync("GET", $"logging/level?name={name}"));
    }

    [Theory]
    [InlineData("name=x&level=NOPE", "TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL, NONE, NOTSET")]
    [InlineData("name=x&level=", "DEBUG, INFO")]
    [InlineData("name=x&level=10", "DEBUG, INFO")]
    [InlineData("name=x", "DEBUG, INFO")]
    [InlineData("", "letters, digits")]
    [InlineData("level=DEBUG", "letters, digits")]
    [InlineData("name=&level=DEBUG", "letters, digits")]
    [InlineData("name=a*&level=DEBUG", "letters, digits")]
    [InlineData("name=a..b&level=DEBUG", "letters, digits")]
    [InlineData("name=.a&level=DEBUG", "letters, digits")]
    [InlineData("name=a.&level=DEBUG", "letters, digits")]
    [InlineData("name=a%0A&level=DEBUG", "letters, digits")]
    [InlineData("name=a%20b&level=DEBUG", "letters, digits")]
    [InlineData("name=LONG&level=DEBUG", "200 characters")]
    [InlineData("name=x&level=DEBUG&for=-1", "15m")]
    [InlineData("name=x&level=DEBUG&for=0s", "15m")]
    [InlineData("name=x&level=DEBUG&for=", "15m")]
    [InlineData("name=x&level=DEBUG&for=15", "15m")]
    [InlineData("name=x&level=DEBUG&for=1.5h", "15m")]
    [InlineData("name=x&level=DEBUG&for=1d", "15m")]
    [InlineData("name=x&level=DEBUG&for=25h", "24 hours")]
    [InlineData("name=x&level=DEBUG&for=86401s", "24 hours")]
    [InlineData("name=x&level=DEBUG&for=99999999999h", "24 hours")]
    [InlineData("name=x&level=NOTSET&for=1m", "NOTSET")]
    [InlineData("name=x&level=DEBUG&level=INFO", "level is repeated")]
    [InlineData("name=x&name=x&level=DEBUG", "name is repeated")]
    [InlineData("name=x&level=DEBUG&for=1m&FOR=2m", "for is repeated")]
    public async Task A_wrong_request_is_told_what_is_allowed_and_changes_nothing(string query, string allowed)
    {
        var lines = new Kept();
        await using var service = await OperatedService.StartAsync(
            setup: builder => builder.Services.AddSingleton<ILoggerProvider>(lines));
        query = query.Replace("LONG", new string('x', 201), StringComparison.Ordinal);
        string[] methods = query.Contains("level", StringComparison.Ordinal) ? ["PUT", "GET"] : ["PUT"];
        foreach (var method in methods)
        {
            using var response = await service.SendAsync(method, $"logging/level?{query}");
            var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", method, "/ops/logging/level");
            Assert.Contains(allowed, body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
        Assert.Equal("""{"status":200,"overrides":{},"until":{}}""", $"{await AllAsync(service)}");
        Assert.Empty(lines.Critical);
    }

    [Fact]
    public async Task There_may_be_a_hundred_overrides_and_other_verbs_are_refused()
    {
        await using var service = await OperatedService.StartAsync();
        for (var i = 0; i < 100; i++)
        {
            await service.JsonAsync("PUT", $"logging/level?name=a{i}&level=DEBUG{(i % 2 == 0 ? "&for=1h" : "")}");
        }
        using var hits = new LimitHits();
        using (var refused = await service.SendAsync("PUT", "logging/level?name=b&level=DEBUG"))
        {
            var body = await ErrorBody.AssertAsync(refused, 409, "Too many overrides", "PUT", "/ops/logging/level");
            Assert.Contains("100", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
        await service.JsonAsync("PUT", "logging/level?name=A5&level=INFO&for=1m");
        await service.JsonAsync("PUT", "logging/level?name=a0&level=NOTSET");
        await service.JsonAsync("PUT", "logging/level?name=b&level=DEBUG");
        Assert.Equal(100, (await AllAsync(service)).GetProperty("overrides").EnumerateObject().Count());
        foreach (var method in new[] { "POST", "DELETE" })
        {
            using var wrong = await service.SendAsync(method, "logging/level?name=a1&level=INFO");
            await ErrorBody.AssertAsync(wrong, 405, "Method Not Allowed", method, "/ops/logging/level");
        }
    }

    private static Task<JsonElement> AllAsync(OperatedService service) => service.JsonAsync("GET", "logging/level");

    private static (string? Own, string? Effective) Levels(JsonElement body) =>
        (body.GetProperty("level").GetString(), body.GetProperty("effective_level").GetString());

    private sealed record Line(string Logger, LogLevel Level, string Message, Dictionary<string, object?> Values);

    // A provider of someone else's.
    private sealed class Kept : ILoggerProvider
    {
        public ConcurrentQueue<Line> Lines { get; } = new();

        public Line[] Critical => [.. Lines.Where(line => line.Level == LogLevel.Critical)];

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, Lines);

        public void Dispose()
        {
            // Nothing is open.
        }

        private sealed class Logger(string name, ConcurrentQueue<Line> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception,
                Func<TState, Exception?, string> formatter) => lines.Enqueue(new Line(
                    name,
                    logLevel,
                    formatter(state, exception),
                    ((IEnumerable<KeyValuePair<string, object?>>)state!).ToDictionary()));
        }
    }
}
