using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using TaskService.Domain;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;

namespace TaskService;

/// <summary>The service in one process: started once, stopped once, in a program or in a test.</summary>
internal sealed class TodoListHost : IAsyncDisposable
{
    private readonly Settings settings;
    private readonly LogSystem logs;
    private readonly TelemetrySystem telemetry;
    private readonly CancellationTokenSource stopping = new();
    private readonly WebApplication app;
    private readonly ITaskStore store;
    private readonly Lazy<Task> stopped;

    private TodoListHost(Settings settings, LogSystem logs, TelemetrySystem telemetry)
    {
        (this.settings, this.logs, this.telemetry) = (settings, logs, telemetry);
        app = Program.Build(settings, logs, telemetry, stopping.Token);
        store = app.Services.GetRequiredService<ITaskStore>();
        stopped = new Lazy<Task>(StopOnceAsync);
    }

    /// <summary>The port that it listens on.</summary>
    public int Port { get; private set; }

    /// <summary>Opens the store, then the port.</summary>
    /// <exception cref="StorageException">The store cannot be opened.</exception>
    /// <exception cref="IOException">The port or a log file cannot be opened.</exception>
    public static async Task<TodoListHost> StartAsync(Settings settings, CancellationToken cancel)
    {
        var host = await CreateAsync(settings);
        try
        {
            await host.app.Services.GetRequiredService<TodoListService>().OpenAsync(cancel);
            await host.ListenAsync(cancel);
            host.Say("STARTING");
            return host;
        }
        catch
        {
            await host.ReleaseAsync();
            throw;
        }
    }

    /// <summary>Brings the schema of the store up to date, and nothing else.</summary>
    /// <param name="settings">Of the store.</param>
    /// <param name="output">Gets a line that says what it is now.</param>
    /// <param name="cancel">Between two steps.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="StorageException">The store cannot be opened.</exception>
    public static async Task<int> MigrateAsync(Settings settings, TextWriter output, CancellationToken cancel)
    {
        var host = await CreateAsync(settings);
        try
        {
            await host.store.OpenAsync(cancel);
            await output.WriteLineAsync(host.store.SchemaVersion is { } version
                ? $"the schema is at {version}"
                : "this storage engine has no schema to migrate");
            return ExitCodes.Fine;
        }
        finally
        {
            await host.store.DisposeAsync();
            await host.ReleaseAsync();
        }
    }

    /// <summary>
    /// Says that it is not ready any more, finishes what is in flight, and closes the store and the logs.
    /// </summary>
    public Task StopAsync() => stopped.Value;

    public async ValueTask DisposeAsync() => await StopAsync();

    private static async Task<TodoListHost> CreateAsync(Settings settings)
    {
        var logs = new LogSystem(settings.Logging);
        TelemetrySystem? telemetry = null;
        try
        {
            telemetry = new TelemetrySystem(
                settings.Telemetry, (message, outlet, count) => Warn(logs, message, outlet, count));
            TelemetrySystem.Default = telemetry;
            return new TodoListHost(settings, logs, telemetry);
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

    private async Task StopOnceAsync()
    {
        try
        {
            Say("SHUTTING DOWN");
            await stopping.CancelAsync();
            await Task.Delay(settings.Service.PreStopDelay);
            using var deadline = new CancellationTokenSource(settings.Service.ShutdownTimeMax);
            await app.StopAsync(deadline.Token);
            await telemetry.DisposeAsync();
            await store.DisposeAsync();
            Say("STOPPED");
        }
        finally
        {
            await ReleaseAsync();
        }
    }

    private async Task ListenAsync(CancellationToken cancel)
    {
        try
        {
            await app.StartAsync(cancel);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            var endpoint = new IPEndPoint(settings.Service.Address, settings.Service.Port);
            throw new IOException($"cannot listen on {endpoint}: {error.GetBaseException().Message}", error);
        }
        var addresses = app.Services.GetRequiredService<IServer>().Features
            .GetRequiredFeature<IServerAddressesFeature>();
        Port = new Uri(addresses.Addresses.First()).Port;
    }

    private void Say(string message)
    {
        var channel = logs.Channel(LoggingSettings.LoggerName);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(channel.Name);
        if (!logger.IsEnabled(LogLevel.Information))
        {
            return;
        }
        Field[] fields =
        [
            new(LogEvent.Message, message), new("service_name", settings.Service.Name), new("port", Port),
        ];
        channel.Write(new LogEvent(DateTime.UtcNow, channel.Name, LogLevel.Information, fields));
    }

    private static void Warn(LogSystem logs, string message, string outlet, long count)
    {
        var channel = logs.Channel("taskservice.outlets");
        Field[] fields = [new(LogEvent.Message, message), new("outlet", outlet), new("dropped", count)];
        channel.Write(new LogEvent(DateTime.UtcNow, channel.Name, LogLevel.Warning, fields));
    }

    private async Task ReleaseAsync()
    {
        await app.DisposeAsync();
        await telemetry.DisposeAsync();
        logs.Dispose();
        stopping.Dispose();
    }
}
