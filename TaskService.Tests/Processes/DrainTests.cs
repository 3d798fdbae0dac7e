using System.Collections.Concurrent;
using TaskService.Acceptance;
using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>
/// Two services behind an nginx that polls which of them is ready, with the files of <c>deploy</c>: one after the other
/// is drained and started again, and no request fails.
/// </summary>
[Trait("Suite", "soak")]
public sealed class DrainTests
{
    private const string Service = """
        service: { pre-stop-delay-ms: 5000 }
        task-db: { memory: }
        logging: { handlers: { console: { type: console, level: warning } } }
        """;

    private readonly ConcurrentQueue<string> failures = new();
    private int requests;

    [Fact]
    public async Task No_request_fails_while_services_are_drained_and_started_again()
    {
        Assert.SkipUnless(File.Exists("/usr/sbin/nginx"), "needs nginx (apt-get install nginx-light)");
        using var composition = new Composition();
        ComposedProgram[] services =
            [await composition.StartServiceAsync("a", Service), await composition.StartServiceAsync("b", Service)];
        var nginx = await StartNginxAsync(composition, services);

        using var end = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => SendUntilAsync(nginx.Url, end.Token)).ToList();
        var drains = TestRoot.Scale(2, 50);
        for (var drain = 0; drain < drains; drain++)
        {
            var service = services[drain % 2];
            Assert.Equal(0, await service.StopAsync());
            await service.StartAsync();
            await Until.TrueAsync(() => Listed(composition).Count == 2, "a balancer that has both again");
        }
        await end.CancelAsync();
        await Task.WhenAll(clients);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{drains} drains, {requests} requests, {failures.Count} failed");
        Assert.True(requests > drains * 100);
        Assert.Empty(failures);
    }

    [Fact]
    public async Task The_contract_holds_behind_nginx()
    {
        Assert.SkipUnless(File.Exists("/usr/sbin/nginx"), "needs nginx (apt-get install nginx-light)");
        using var composition = new Composition();
        var service = await composition.StartServiceAsync("a", Service);
        var nginx = await StartNginxAsync(composition, [service]);
        var output = await DotnetCommand.AssertRunsAsync(
            AppContext.BaseDirectory, [], "TaskService.Acceptance.dll", "--url", nginx.Url.OriginalString);
        Assert.EndsWith(" held, 0 failed", output.TrimEnd(), StringComparison.Ordinal);
    }

    private static Task<ComposedProgram> StartNginxAsync(Composition composition, ComposedProgram[] services)
    {
        var deployed = File.ReadAllText(TestRoot.File("deploy", "nginx.conf"));
        var include = deployed.Split("include ")[1].Split(';')[0];
        return composition.StartAsync("nginx", "/health/ready", port =>
        {
            composition.AddFile("site.conf", deployed
                .Replace("listen 80;", $"listen 127.0.0.1:{port};", StringComparison.Ordinal)
                .Replace(include, "upstream.conf", StringComparison.Ordinal));
            var main = composition.AddFile("nginx.conf", $$"""
                daemon off;
                pid {{composition.Directory}}/nginx.pid;
                error_log stderr warn;
                events { worker_connections 1024; }
                http {
                    access_log off;
                    include site.conf;
                }
                """);
            var poll = $"sh '{TestRoot.File("deploy", "nginx-poll.sh")}' upstream.conf"
                + $" '[ ! -f nginx.pid ] || kill -HUP $(cat nginx.pid)' "
                + string.Join(' ', services.Select(service => service.Url.Authority));
            return
            [
                "/bin/sh", "-c", $"{poll} & while [ ! -f upstream.conf ]; do sleep 0.1; done; "
                + $"exec /usr/sbin/nginx -p '{composition.Directory}' -c '{main}'",
            ];
        });
    }

    private static List<string> Listed(Composition composition) =>
        [.. File.ReadLines(Path.Combine(composition.Directory, "upstream.conf"))];

    /// <summary>A read and a change in turn, fifty times a second.</summary>
    private async Task SendUntilAsync(Uri url, CancellationToken end)
    {
        using var api = new ApiConnection(url);
        using var rate = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!end.IsCancellationRequested)
        {
            await rate.WaitForNextTickAsync(CancellationToken.None);
            await CountAsync(() => api.GetAsync("/tasks?limit=1"));
            await CountAsync(() => api.PostAsync("/tasks", Some.TaskJson));
        }
    }

    private async Task CountAsync(Func<Task<ApiResponse>> send)
    {
        Interlocked.Increment(ref requests);
        try
        {
            await send();
        }
        catch (AcceptanceException error)
        {
            failures.Enqueue(error.Message);
        }
    }
}
