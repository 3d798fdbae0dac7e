using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>SIGTERM, SIGINT, SIGQUIT and SIGHUP to the real process.</summary>
[Trait("Suite", "integration")]
public sealed class ShutdownTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("TERM", "memory:")]
    [InlineData("INT", "memory:")]
    [InlineData("QUIT", "memory:")]
    [InlineData("TERM", "fs: store")]
    [InlineData("INT", "fs: store")]
    public async Task Under_load_every_request_whose_head_was_read_is_answered_and_all_lines_are_there(
        string signal, string taskDb)
    {
        using var process = await StartAsync(taskDb);
        var address = await process.ListeningAsync();
        var clients = Enumerable.Range(0, 16).Select(_ => PostUntilRefusedAsync(address)).ToList();
        await Until.TrueAsync(() => process.Output.Count > 500, "some load");
        process.Signal(signal);
        var answers = await Task.WhenAll(clients).WaitAsync(Until.Limit);
        var answered = answers.SelectMany(ids => ids).ToList();
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);

        var lines = process.Output.Select(LogfmtLine.ParseBrief).ToList();
        Assert.Equal("STARTING", lines[0]["message"]);
        Assert.Equal("STOPPED", lines[^1]["message"]);
        Assert.Single(lines, line => line["message"] == "SHUTTING DOWN");
        var responses = lines.Where(line => line["message"] == "RESPONSE").ToList();
        Assert.All(responses, line => Assert.Contains(line["status"], new[] { "201", "499" }));
        // Whoever got an answer stands in the log, and whoever stands there with 201 was answered.
        Assert.Equal(
            answered.Order(),
            responses.Where(line => line["status"] == "201").Select(line => line["req_id"]).Order());
        if (taskDb != "memory:")
        {
            Assert.Equal(answered.Count, Directory.GetFiles(directory.File("store"), "*.json").Length);
        }
    }

    [Fact]
    public async Task A_request_in_flight_is_finished()
    {
        using var process = await StartAsync("memory:", HeldRequest.Service);
        var address = await process.ListeningAsync();
        using var inFlight = await HeldRequest.BeginAsync(address.Port);
        process.Signal("TERM");
        await Until.TrueAsync(
            () => process.Output.Any(line => line.Contains("SHUTTING DOWN", StringComparison.Ordinal)), "the line");
        Assert.Contains("HTTP/1.1 201 Created", await inFlight.FinishAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await process.ExitAsync());
    }

    [Fact]
    public async Task A_request_that_never_ends_is_given_up_after_the_time_that_is_configured()
    {
        using var process = await StartAsync("memory:", "shutdown-time-max-ms: 300");
        var address = await process.ListeningAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await client.GetStream().WriteAsync(
            "POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n"u8.ToArray());
        using var other = new HttpClient { BaseAddress = address };
        using var answer = await other.GetAsync(new Uri("/tasks", UriKind.Relative));
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Equal("STOPPED", LogfmtLine.ParseBrief(process.Output.Last())["message"]);
    }

    [Fact]
    public async Task A_second_signal_ends_at_once()
    {
        using var process = await StartAsync("memory:", "pre-stop-delay-ms: 600000");
        await process.ListeningAsync();
        process.Signal("TERM");
        await Until.TrueAsync(
            () => process.Output.Any(line => line.Contains("SHUTTING DOWN", StringComparison.Ordinal)), "the line");
        // One that comes at once with the first is taken for the same.
        await Until.TrueAsync(
            () =>
            {
                process.TrySignal("TERM");
                return process.HasExited;
            },
            "the end");
        Assert.Equal(128 + 15, await process.ExitAsync());
    }

    [Fact]
    public async Task A_hangup_reopens_the_log_files_and_ends_nothing_whenever_it_comes()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/mkfifo"), "needs mkfifo");
        // A start that goes on when the test has written the configuration.
        using (var mkfifo = Process.Start("mkfifo", directory.File("c.yaml")))
        {
            await mkfifo.WaitForExitAsync();
        }
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
        var opened = Task.Run(() => new StreamWriter(directory.File("c.yaml")));
        await using (var config = await opened.WaitAsync(Until.Limit))
        {
            process.Signal("HUP");
            await config.WriteAsync($$"""
                service: { {{HeldRequest.Service}} }
                http: { {{HeldRequest.Http}} }
                task-db: { memory: }
                logging:
                  handlers: { console: { type: console }, errors: { type: file, path: errors.log, level: error } }
                """);
        }
        var address = await process.ListeningAsync();

        File.Move(directory.File("errors.log"), directory.File("moved.log"));
        process.Signal("HUP");
        await Until.TrueAsync(() => File.Exists(directory.File("errors.log")), "the file");
        await Until.TrueAsync(() => Messages(process).Contains("LOG FILES REOPENED"), "the line");

        using var inFlight = await HeldRequest.BeginAsync(address.Port);
        process.Signal("TERM");
        await Until.TrueAsync(() => Messages(process).Contains("SHUTTING DOWN"), "the line");
        process.Signal("HUP");
        await Until.TrueAsync(
            () => Messages(process).Count(message => message == "LOG FILES REOPENED") >= 2, "the second line");
        Assert.Contains("HTTP/1.1 201 Created", await inFlight.FinishAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        Assert.Equal("STOPPED", Messages(process)[^1]);
    }

    [Fact]
    public async Task A_signal_that_comes_twice_at_once_is_one()
    {
        var time = new FakeTimeProvider();
        using var signals = new StopSignals(time);
        using var together = new Barrier(2);
        // As the system does it: each on a thread of its own.
        Assert.All(await Task.WhenAll(TakeAsync(), TakeAsync()), Assert.True);
        Assert.True(signals.First.IsCancellationRequested);
        time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.True(signals.Take());
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(signals.Take());

        Task<bool> TakeAsync() => Task.Factory.StartNew(
            () =>
            {
                together.SignalAndWait();
                return signals.Take();
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    [Fact]
    public async Task Tasks_in_files_are_there_after_SIGKILL_and_the_directory_can_be_opened_again()
    {
        string location;
        using (var process = await StartAsync("fs: store"))
        {
            using var client = new HttpClient { BaseAddress = await process.ListeningAsync() };
            using var response = await client.PostAsync(
                new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
            location = response.Headers.Location!.OriginalString;
            process.Signal("KILL");
            Assert.Equal(128 + 9, await process.ExitAsync());
        }
        using var again = await StartAsync("fs: store");
        using var reader = new HttpClient { BaseAddress = await again.ListeningAsync() };
        var task = await reader.GetStringAsync(new Uri(location, UriKind.Relative));
        Assert.Contains("Task1", task, StringComparison.Ordinal);
    }

    private static List<string?> Messages(ServiceProcess process) =>
        [.. process.Output.Select(line => LogfmtLine.ParseBrief(line)["message"])];

    private async Task<ServiceProcess> StartAsync(string taskDb, string service = "")
    {
        await File.WriteAllTextAsync(directory.File("c.yaml"), $$"""
            service: { {{service}} }
            http: { {{HeldRequest.Http}} }
            task-db: { {{taskDb}} }
            """);
        return ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
    }

    /// <returns>The ids of the requests that were answered.</returns>
    private static async Task<List<string>> PostUntilRefusedAsync(Uri address)
    {
        using var client = new HttpClient { BaseAddress = address };
        var answered = new List<string>();
        while (true)
        {
            try
            {
                using var response = await client.PostAsync(
                    new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
                Assert.Equal(HttpStatusCode.Created, response.StatusCode);
                answered.Add(Assert.Single(response.Headers.GetValues("X-Request-ID")));
            }
            catch (Exception error) when (error is HttpRequestException or SocketException)
            {
                // The second is what a connection ends with that is reset as it is made.
                return answered;
            }
        }
    }
}
