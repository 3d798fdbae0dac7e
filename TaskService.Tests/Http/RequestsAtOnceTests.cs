using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>Requests that are served at the same time, by whatever thread is free, are told apart.</summary>
public sealed class RequestsAtOnceTests
{
    private const int Count = 100;

    private readonly TaskCompletionSource allAreHere = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int here;

    [Fact]
    public async Task A_hundred_requests_at_once_never_mix_ids_traces_fields_lines_or_headers()
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: routes => routes.MapGet("/meet", MeetAsync));
        var answers = await Task.WhenAll(Enumerable.Range(0, Count).Select(number => app.SendAsync(
            $"/meet?{number}",
            ("X-Request-ID", IdOf(number)),
            ("traceparent", $"00-{TraceOf(number)}-00f067aa0ba902b7-00"))));
        foreach (var (answer, number) in answers.Select((answer, number) => (answer, number)))
        {
            Assert.Equal(IdOf(number), Assert.Single(answer.Headers.GetValues("X-Request-ID")));
            // What the other service was sent by the handler.
            var sent = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
            Assert.Equal(IdOf(number), sent.GetProperty("X-Request-ID").GetString());
            Assert.StartsWith(
                $"00-{TraceOf(number)}-", sent.GetProperty("traceparent").GetString(), StringComparison.Ordinal);
            answer.Dispose();
        }

        // Each is a request, its work, its call and the request that this call is.
        var events = await app.EventsAsync(4 * Count);
        Assert.Equal(Count, events.Count(one => one.GetProperty("type").GetString() == "request.work"));
        Assert.Equal(Count, events.Select(one => one.GetProperty("id").GetString()).Distinct().Count());
        Assert.All(events, one =>
        {
            var number = NumberOf(one.GetProperty("id").GetString());
            Assert.Equal(TraceOf(number), one.GetProperty("trace_id").GetString());
            if (one.GetProperty("body").TryGetProperty("numbers", out var numbers))
            {
                Assert.Equal($"[{number},{number}]", numbers.GetRawText());
            }
        });
        Assert.Equal(2 * Count, events.Count(one => one.GetProperty("body").TryGetProperty("numbers", out _)));

        // REQUEST, RESPONSE and those of the call, and the message.
        var lines = await app.LinesAsync(5 * Count);
        Assert.All(lines, line =>
        {
            var number = NumberOf(line["req_id"]);
            Assert.True(line["message"] == "REQUEST" || line["trace_id"] == TraceOf(number), line["message"]);
            Assert.True(!line.Keys.Contains("Number") || line["Number"] == $"{number}", line["message"]);
        });
        Assert.Equal(Count, lines.Count(line => line.Keys.Contains("Number")));
    }

    [Fact]
    public async Task A_handler_that_goes_from_thread_to_thread_has_one_event()
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: routes => routes.MapGet("/hop", HopAsync));
        await app.GetAsync("/hop");
        var threads = Assert.Single(await app.EventsAsync(1)).GetProperty("body").GetProperty("threads");
        Assert.Equal(6, threads.GetArrayLength());
        Assert.InRange(threads.EnumerateArray().Select(one => one.GetInt32()).Distinct().Count(), 3, 6);

        static async Task HopAsync(HttpContext http, CancellationToken cancel)
        {
            AppendThread();
            await Task.Yield();
            AppendThread();
            await Task.Run(AppendThread, cancel);
            var thread = new Thread(AppendThread);
            thread.Start();
            thread.Join();
            await Task.Factory.StartNew(
                AppendThread, cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            AppendThread();
        }

        static void AppendThread() => Operation.Current?.Append("threads", Environment.CurrentManagedThreadId);
    }

    private static string IdOf(int number) => $"id-{number}";

    private static int NumberOf(string? id) => int.Parse(id!["id-".Length..], CultureInfo.InvariantCulture);

    private static string TraceOf(int number) => (number + 1).ToString("x32", CultureInfo.InvariantCulture);

    private async Task MeetAsync(HttpContext http, CancellationToken cancel)
    {
        var number = int.Parse(http.Request.QueryString.Value![1..], CultureInfo.InvariantCulture);
        Operation.Current?.Append("numbers", number);
        if (Interlocked.Increment(ref here) == Count)
        {
            allAreHere.SetResult();
        }
        await allAreHere.Task.WaitAsync(cancel);
        await Operation.RunAsync(".work", async work =>
        {
            Operation.Current?.Append("numbers", number);
            await Task.Yield();
            work.Append("numbers", number);
            return 0;
        });
        ObservedApp.LoggerOf(http).LogInformation("{Number}", number);
        using var client = ObservedApp.ClientOf(http);
        var headers = await client.GetStringAsync(
            new Uri($"http://{http.Request.Host}/headers"), cancel);
        Operation.Current?.Append("numbers", number);
        await http.Response.WriteAsync(headers, cancel);
    }
}
