using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>Whatever stops the application from within stops the service in order.</summary>
public sealed class HostedServiceTests : IDisposable
{
    private static readonly string[] InOrder = ["STARTING", "SHUTTING DOWN", "STOPPED"];

    private readonly LogFiles files = new();

    public void Dispose() => files.Dispose();

    [Theory]
    [InlineData(typeof(InvalidDataException))]
    [InlineData(typeof(TaskCanceledException))]
    public async Task A_background_service_that_fails_stops_the_service_in_order_and_is_the_reason(Type failure)
    {
        var worker = new Worker { Stopping = new TaskCompletionSource() };
        await using var service = await StartAsync(worker, service: HeldRequest.Service);
        using var inFlight = await HeldRequest.BeginAsync(service.Port);
        Assert.Equal(HttpStatusCode.OK, await ReadyAsync(service));

        // Of the second kind is the timeout of a client that nobody catches.
        worker.Work.SetException((Exception)Activator.CreateInstance(failure, "first\nsecond")!);
        await Until.TrueAsync(() => worker.IsStopping, "the stop");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadyAsync(service));
        worker.Stopping.SetResult();
        Assert.Contains("HTTP/1.1 201 Created", await inFlight.FinishAsync(), StringComparison.Ordinal);

        var reason = $"{failure.Name}: first\nsecond";
        Assert.Equal($"background service {typeof(Worker)} failed: {reason}", await service.StopAsync());
        Assert.Equal(
            ["STARTING", "BACKGROUND SERVICE FAILED", "SHUTTING DOWN", "STOPPED"],
            Messages().Where(message => message is not ("REQUEST" or "RESPONSE")));
        var line = Assert.Single(Lines(), line => line["message"] == "BACKGROUND SERVICE FAILED");
        Assert.Equal(("ERROR", $"{typeof(Worker)}", reason), (line["level"], line["service"], line["reason"]));
        Assert.StartsWith(failure.FullName!, line["trace"], StringComparison.Ordinal);
        Assert.Contains("RESPONSE", Messages().SkipWhile(message => message != "SHUTTING DOWN"));
    }

    [Fact]
    public async Task A_background_service_that_fails_at_once_stops_the_service_all_the_same()
    {
        var worker = new Worker();
        worker.Work.SetException(new InvalidDataException("broken"));
        await using var service = await StartAsync(worker);
        await service.ApplicationStoppingAsync().WaitAsync(Until.Limit);
        Assert.Equal(
            $"background service {typeof(Worker)} failed: InvalidDataException: broken", await service.StopAsync());
        Assert.Equal("STOPPED", Messages()[^1]);
    }

    [Fact]
    public async Task A_service_that_is_stopped_from_within_has_not_failed()
    {
        var worker = new Worker();
        await using var service = await StartAsync(worker);
        worker.Lifetime!.StopApplication();
        await Until.TrueAsync(() => Messages().Contains("STOPPED"), "the end");
        Assert.Null(await service.StopAsync());
        Assert.Equal(InOrder, Messages());
    }

    [Fact]
    public async Task Where_the_team_wants_it_the_service_goes_on_without_it_and_that_is_logged()
    {
        var worker = new Worker();
        await using var service = await StartAsync(worker, services => services.Configure<HostOptions>(options =>
            options.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore));
        worker.Work.SetException(new InvalidDataException("broken"));
        await Until.TrueAsync(() => Messages().Contains("BACKGROUND SERVICE FAILED"), "the line");
        Assert.Equal(HttpStatusCode.OK, await ReadyAsync(service));
        Assert.Null(await service.StopAsync());
    }

    [Fact]
    public async Task A_background_service_that_fails_while_it_is_stopped_is_logged_before_the_end()
    {
        var worker = new Worker { FailsWhenStopped = true };
        await using var service = await StartAsync(worker);
        Assert.Equal(
            $"background service {typeof(Worker)} failed: InvalidDataException: stopped", await service.StopAsync());
        Assert.Equal(["STARTING", "SHUTTING DOWN", "BACKGROUND SERVICE FAILED", "STOPPED"], Messages());
    }

    [Fact]
    public async Task A_hosted_service_that_fails_to_stop_is_the_reason_and_the_others_are_stopped()
    {
        var (first, second) = (new Hosted(), new Hosted { Stop = () => throw new InvalidDataException("broken") });
        await using var service = await StartAsync(first, services => services.AddSingleton<IHostedService>(second));
        Assert.Equal("a hosted service failed to stop: InvalidDataException: broken", await service.StopAsync());
        Assert.True(first.IsStopped);
        Assert.Equal(["STARTING", "SHUTTING DOWN", "STOP FAILED", "STOPPED"], Messages());
        var line = Assert.Single(Lines(), line => line["message"] == "STOP FAILED");
        Assert.Equal(("ERROR", "InvalidDataException: broken"), (line["level"], line["reason"]));
    }

    [Fact]
    public async Task A_hosted_service_that_never_stops_holds_up_nothing_for_ever()
    {
        var never = new TaskCompletionSource();
        await using var service = await StartAsync(
            new Hosted { Stop = () => never.Task }, service: "shutdown-time-max-ms: 1");
        Assert.Equal("a hosted service failed to stop: it did not stop within 1 ms", await service.StopAsync());
        Assert.Equal("STOPPED", Messages()[^1]);
    }

    [Theory]
    [InlineData(typeof(InvalidDataException))]
    [InlineData(typeof(IOException))]
    public async Task A_hosted_service_that_fails_to_start_is_the_reason_and_those_that_have_started_are_stopped(
        Type failure)
    {
        var error = (Exception)Activator.CreateInstance(failure, "broken")!;
        var (first, second) = (new Hosted(), new Hosted { Start = () => throw error });
        var thrown = await Assert.ThrowsAnyAsync<Exception>(
            () => StartAsync(first, services => services.AddSingleton<IHostedService>(second)));
        Assert.Same(error, thrown);
        Assert.True(first.IsStopped);
        Assert.Empty(Messages());
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public async Task A_process_that_is_stopped_from_within_fails_only_for_a_failure(bool fails, int code)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(directory.File("c.yaml"), $"task-db: {{ memory: }}\n{files.Yaml}");
        var worker = new Worker();
        var run = TodoListHost.RunAsync(
            new CommandLineOptions(directory.File("c.yaml"), Port: 0),
            Program.AddSections,
            Program.Application(builder => Add(builder.Services, worker)));
        await Until.TrueAsync(() => Messages().Contains("STARTING"), "the start");
        if (fails)
        {
            worker.Work.SetException(new InvalidDataException("broken"));
        }
        else
        {
            worker.Lifetime!.StopApplication();
        }
        Assert.Equal(code, await run.WaitAsync(Until.Limit));
        Assert.Equal("STOPPED", Messages()[^1]);
    }

    private Task<RunningService> StartAsync(
        IHostedService hosted, Action<IServiceCollection>? setup = null, string service = "") =>
        RunningService.StartAsync(logging: files.Yaml, service: service, http: HeldRequest.Http, setup: builder =>
        {
            Add(builder.Services, hosted);
            setup?.Invoke(builder.Services);
        });

    private static void Add(IServiceCollection services, IHostedService hosted) =>
        services.AddSingleton(provider =>
        {
            (hosted as Worker)?.Lifetime = provider.GetRequiredService<IHostApplicationLifetime>();
            return hosted;
        });

    private static async Task<HttpStatusCode> ReadyAsync(RunningService service)
    {
        using var response = await service.SendAsync("GET", "/health/ready");
        return response.StatusCode;
    }

    private List<string?> Messages() => [.. Lines().Select(line => line["message"])];

    private List<LogfmtLine> Lines() => [.. files.Read("logfmt").Select(LogfmtLine.Parse)];

    /// <summary>Works until the test ends that, or it is stopped.</summary>
    private sealed class Worker : BackgroundService, IHostedLifecycleService
    {
        public TaskCompletionSource Work { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool FailsWhenStopped { get; init; }

        /// <summary>Holds up the stop before the server closes its port; null for nothing that does.</summary>
        public TaskCompletionSource? Stopping { get; init; }

        public bool IsStopping { get; private set; }

        public IHostApplicationLifetime? Lifetime { get; set; }

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            try
            {
                await Work.Task.WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (FailsWhenStopped)
            {
                throw new InvalidDataException("stopped");
            }
        }

        public Task StoppingAsync(CancellationToken cancellationToken)
        {
            IsStopping = true;
            return Stopping?.Task ?? Task.CompletedTask;
        }

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Hosted : IHostedService
    {
        public Func<Task> Start { get; init; } = () => Task.CompletedTask;

        public Func<Task> Stop { get; init; } = () => Task.CompletedTask;

        public bool IsStopped { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Start();

        public Task StopAsync(CancellationToken cancellationToken)
        {
            IsStopped = true;
            return Stop();
        }
    }
}
