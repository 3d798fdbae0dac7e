using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Hosting;

/// <summary>The service in one process: started once, stopped once, in a program or in a test.</summary>
internal sealed class TodoListHost : IAsyncDisposable
{
    /// <summary>
    /// How long the server needs to abort connections after the time to stop is over, and more; a hosted service that
    /// ignores its token is not waited for any longer.
    /// </summary>
    private static readonly TimeSpan AbortTimeMax = TimeSpan.FromSeconds(3);

    private readonly Settings settings;
    private readonly LogSystem logs;
    private readonly TelemetrySystem telemetry;
    private readonly CancellationTokenSource stopping = new();
    private readonly WebApplication app;
    private readonly IStorage storage;
    private readonly IReadOnlyList<IStore> stores;
    private readonly IHostApplicationLifetime lifetime;
    private readonly ILogger logger;
    private readonly ILogger exporterLogger;
    private readonly ConfigReload reload;
    private readonly List<(BackgroundService Service, Task Watch)> background = [];
    private readonly Lazy<Task<string?>> stopped;
    private string? failure;

    private TodoListHost(
        Settings settings, LogSystem logs, TelemetrySystem telemetry, BuildApplication build)
    {
        (this.settings, this.logs, this.telemetry) = (settings, logs, telemetry);
        app = build(settings, logs, telemetry, stopping.Token);
        storage = app.Services.GetRequiredService<IStorage>();
        // An engine knows its stores before it is opened.
        stores = [.. app.Services.GetServices<IStore>()];
        lifetime = app.Lifetime;
        var loggers = app.Services.GetRequiredService<ILoggerFactory>();
        logger = loggers.CreateLogger(LoggingSettings.LoggerName);
        exporterLogger = loggers.CreateLogger($"{LoggingSettings.LoggerName}.exporters");
        reload = new ConfigReload(
            settings, logs, telemetry, app.Services.GetRequiredService<LogLevels>(), logger);
        stopped = new Lazy<Task<string?>>(StopOnceAsync);
    }

    /// <summary>
    /// The port of the first address that it listens on; 0 when it was stopped from within before that.
    /// </summary>
    public int Port { get; private set; }

    /// <summary>Does what the command line asks for, by default to serve until a signal stops it.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="addSections">Reads the sections of others.</param>
    /// <param name="build">Makes the application.</param>
    /// <returns>The exit code.</returns>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public static async Task<int> RunAsync(
        CommandLineOptions options, Func<OtherSections, OtherSections> addSections, BuildApplication build)
    {
        using var signals = new StopSignals(TimeProvider.System);
        var (settings, source) = Settings.Load(options, addSections);
        if (options.PrintConfig || options.CheckConfig)
        {
            return CommandLine.Show(source, settings.Warnings, options.PrintConfig);
        }
        try
        {
            return options.MigrateOnly
                ? await MigrateAsync(settings, build, Console.Out, signals.First)
                : await ServeAsync(settings, build, signals, () => Settings.Reload(options, addSections));
        }
        catch (OperationCanceledException) when (signals.First.IsCancellationRequested)
        {
            // It was still starting: there is nothing to finish.
            return ExitCodes.Fine;
        }
    }

    /// <summary>
    /// Opens the storage, then the port. Whatever stops the application from within, such as a background service that
    /// fails, stops it in order, as <see cref="StopAsync"/> does.
    /// </summary>
    /// <param name="settings">All of them.</param>
    /// <param name="build">Makes the application: its services, middleware and endpoints.</param>
    /// <param name="cancel">While it starts.</param>
    /// <exception cref="StorageException">The storage cannot be opened.</exception>
    /// <exception cref="IOException">The port or a log file cannot be opened.</exception>
    public static async Task<TodoListHost> StartAsync(
        Settings settings, BuildApplication build, CancellationToken cancel)
    {
        var host = await CreateAsync(settings, build);
        try
        {
            await host.OpenStorageAsync(cancel);
            await host.ListenAsync(cancel);
            host.Log("STARTING");
        }
        catch (OperationCanceledException)
            when (host.lifetime.ApplicationStopping.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            // It was stopped from within before it listened.
        }
        catch
        {
            await host.StopServicesAsync();
            await host.ReleaseAsync();
            throw;
        }
        _ = host.StopWithApplicationAsync();
        return host;
    }

    /// <summary>Brings the schema of the storage up to date, and nothing else.</summary>
    /// <param name="settings">Of the storage.</param>
    /// <param name="build">Makes the application, which is not started.</param>
    /// <param name="output">Gets a line that says what it is now.</param>
    /// <param name="cancel">Between two steps.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="StorageException">The storage cannot be opened.</exception>
    public static async Task<int> MigrateAsync(
        Settings settings, BuildApplication build, TextWriter output, CancellationToken cancel)
    {
        var host = await CreateAsync(settings, build);
        try
        {
            await host.storage.OpenAsync(cancel);
            await output.WriteLineAsync(host.storage.SchemaVersion is { } version
                ? $"the schema is at {version}"
                : "this storage engine has no schema to migrate");
            return ExitCodes.Fine;
        }
        finally
        {
            await host.storage.DisposeAsync();
            await host.ReleaseAsync();
        }
    }

    /// <summary>
    /// Says that it is not ready any more, finishes what is in flight, and closes the storage and the logs.
    /// </summary>
    /// <returns>The failure that stopped it or came with stopping, in one line; null when there was none.</returns>
    public Task<string?> StopAsync() => stopped.Value;

    /// <summary>Opens all log files anew, and takes up what can be of the configuration.</summary>
    /// <param name="load">Reads the configuration.</param>
    public Task ReloadAsync(Func<Settings> load)
    {
        logs.Reopen();
        Log("LOG FILES REOPENED");
        return stopping.IsCancellationRequested ? Task.CompletedTask : reload.RunAsync(load);
    }

    /// <summary>Completes when something within has stopped the application.</summary>
    public async Task ApplicationStoppingAsync()
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStopping.Register(came.SetResult);
        await came.Task;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private static async Task<TodoListHost> CreateAsync(Settings settings, BuildApplication build)
    {
        var logs = new LogSystem(settings.Logging);
        TelemetrySystem? telemetry = null;
        try
        {
            TodoListHost? host = null;
            // Nothing is sent, and so nothing is dropped, before there is a host.
            telemetry = new TelemetrySystem(
                settings.Telemetry, (message, exporter, count) => host?.LogDrops(message, exporter, count));
            OperationSource.Default = telemetry;
            host = new TodoListHost(settings, logs, telemetry, build);
            foreach (var warning in settings.Warnings)
            {
                Log(
                    host.logger,
                    LogLevel.Warning,
                    [new(LogEvent.Message, "CONFIGURATION"), new("reason", warning)]);
            }
            return host;
        }
        catch
        {
            if (telemetry is not null)
            {
                await telemetry.DisposeAsync();
            }
            logs.Dispose();
            throw;
        }
    }

    private static async Task<int> ServeAsync(
        Settings settings, BuildApplication build, StopSignals signals, Func<Settings> load)
    {
        await using var host = await StartAsync(settings, build, signals.First);
        signals.Hangup = () => _ = host.ReloadAsync(load);
        await Task.WhenAny(signals.WaitAsync(), host.ApplicationStoppingAsync());
        return await host.StopAsync() is { } failure ? await ExitCodes.FailAsync(failure) : ExitCodes.Fine;
    }

    private async Task StopWithApplicationAsync()
    {
        await ApplicationStoppingAsync();
        await StopAsync();
    }

    private async Task<string?> StopOnceAsync()
    {
        try
        {
            await LogEndedBackgroundServicesAsync();
            Log("SHUTTING DOWN");
            await stopping.CancelAsync();
            await reload.CloseAsync();
            await Task.Delay(settings.Service.PreStopDelay);
            await StopServicesAsync();
            await telemetry.DisposeAsync();
            await storage.DisposeAsync();
            Log("STOPPED");
            return failure;
        }
        finally
        {
            await ReleaseAsync();
        }
    }

    private async Task StopServicesAsync()
    {
        var timeMax = settings.Service.ShutdownTimeMax;
        using var deadline = new CancellationTokenSource(timeMax);
        try
        {
            await app.StopAsync(deadline.Token).WaitAsync(timeMax + AbortTimeMax);
        }
        catch (Exception error)
        {
            var reason = error is TimeoutException || deadline.IsCancellationRequested
                ? $"it did not stop within {timeMax.TotalMilliseconds} ms"
                : Describe(error.GetBaseException());
            failure ??= $"a hosted service failed to stop: {reason}";
            LogFailure("STOP FAILED", new Field("reason", reason), error);
        }
        await LogEndedBackgroundServicesAsync();
    }

    private void WatchBackgroundServices()
    {
        foreach (var service in app.Services.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            background.Add((service, WatchAsync(service)));
        }
    }

    // The framework does not say which one it was.
    private async Task WatchAsync(BackgroundService service)
    {
        try
        {
            await (service.ExecuteTask ?? Task.CompletedTask);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // It stops because the service does.
        }
        catch (Exception error)
        {
            var (name, reason) = ($"{service.GetType()}", Describe(error));
            var options = app.Services.GetRequiredService<IOptions<HostOptions>>().Value;
            if (options.BackgroundServiceExceptionBehavior == BackgroundServiceExceptionBehavior.StopHost)
            {
                failure ??= $"background service {name} failed: {reason}";
            }
            LogFailure("BACKGROUND SERVICE FAILED", new Field("service", name), error, new Field("reason", reason));
        }
    }

    private Task LogEndedBackgroundServicesAsync() => Task.WhenAll(background
        .Where(one => one.Service.ExecuteTask is { IsCompleted: true })
        .Select(one => one.Watch));

    private async Task OpenStorageAsync(CancellationToken cancel)
    {
        await storage.OpenAsync(cancel);
        // New ids are higher than all that are stored.
        var ids = app.Services.GetRequiredService<IdGenerator>();
        foreach (var store in stores)
        {
            await ids.StartAboveAsync(store.ListIdsDescendingAsync(cancel));
        }
    }

    private async Task ListenAsync(CancellationToken cancel)
    {
        // A server for tests has none.
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses
            ?? [];
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception error)
            when (error is IOException { InnerException: AddressInUseException } or System.Net.Sockets.SocketException)
        {
            // They are bound in turn.
            var failed = settings.Service.Addresses[addresses.Count];
            throw new IOException($"cannot listen on {failed}: {error.GetBaseException().Message}", error);
        }
        finally
        {
            WatchBackgroundServices();
        }
        Port = addresses.FirstOrDefault() is { } first ? new Uri(first).Port : 0;
    }

    private void Log(string message) => Log(
        logger,
        LogLevel.Information,
        [new(LogEvent.Message, message), new("service_name", settings.Service.Name), new("port", Port)]);

    private void LogFailure(string message, Field what, Exception error, params ReadOnlySpan<Field> more) => Log(
        logger,
        LogLevel.Error,
        [new(LogEvent.Message, message), what, .. more, new(LogEvent.Trace, error.ToString())],
        error);

    private void LogDrops(string message, string exporter, long count) => Log(
        exporterLogger,
        LogLevel.Warning,
        [new(LogEvent.Message, message), new("exporter", exporter), new("dropped", count)]);

    private static void Log(ILogger logger, LogLevel level, ReadOnlySpan<Field> fields, Exception? error = null)
    {
        var list = new FieldList();
        list.Append(fields);
        LogFields.Write(logger, level, list, error);
    }

    private static string Describe(Exception error) => $"{error.GetType().Name}: {error.Message}";

    private async Task ReleaseAsync()
    {
        await app.DisposeAsync();
        await telemetry.DisposeAsync();
        logs.Dispose();
        reload.Dispose();
        stopping.Dispose();
    }
}

/// <summary>Makes the application of the host.</summary>
/// <param name="settings">All of them.</param>
/// <param name="logs">Gets what is logged.</param>
/// <param name="telemetry">Observes requests and storage.</param>
/// <param name="stopping">Cancelled when the service is about to stop.</param>
internal delegate WebApplication BuildApplication(
    Settings settings, LogSystem logs, TelemetrySystem telemetry, CancellationToken stopping);
