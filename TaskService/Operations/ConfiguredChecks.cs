using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Operations;

/// <summary>
/// The checks of the parts of the storage and of the configuration. Those of your own are one line each:
/// <c>builder.Services.AddHealthChecks().AddCheck&lt;T&gt;("name", tags: [HealthChecks.Level(2)])</c>.
/// </summary>
internal static class ConfiguredChecks
{
    public static void AddTo(IServiceCollection services, OperationsSettings settings)
    {
        services.AddSingleton<HealthChecks>();
        services.AddHttpClient();
        services.AddOptions<HealthCheckServiceOptions>().Configure<IStorage>((options, storage) =>
        {
            foreach (var check in storage.Checks)
            {
                options.Registrations.Add(new HealthCheckRegistration(
                    check.Name, _ => new Check(check.RunAsync), null, [HealthChecks.Level(check.Level)]));
            }
            foreach (var check in settings.HealthChecks)
            {
                options.Registrations.Add(new HealthCheckRegistration(
                    check.Name,
                    provider => new Check(Of(check, provider)),
                    null,
                    [HealthChecks.Level(check.Level)],
                    check.TimeMax));
            }
        });
    }

    private static Func<CancellationToken, Task> Of(HealthCheckSettings check, IServiceProvider services) =>
        check.Kind switch
        {
            HealthCheckKind.Url => cancel => GetAsync(
                services.GetRequiredService<IHttpClientFactory>(), new Uri(check.Target), cancel),
            HealthCheckKind.FreeSpace => _ => RequireFreeSpace(check.Target, check.BytesMin),
            _ => cancel => RequireOneAsync(
                services.GetRequiredKeyedService<IStore>(check.Target), check.Target, cancel),
        };

    private static async Task GetAsync(IHttpClientFactory clients, Uri url, CancellationToken cancel)
    {
        using var client = clients.CreateClient("health");
        client.Timeout = Timeout.InfiniteTimeSpan;
        using var response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancel);
        if (!response.IsSuccessStatusCode)
        {
            throw new IOException($"answered {(int)response.StatusCode} {response.ReasonPhrase}");
        }
    }

    private static Task RequireFreeSpace(string directory, long bytesMin)
    {
        var path = Path.GetFullPath(directory);
        if (!Directory.Exists(path))
        {
            throw new IOException($"there is no directory {path}");
        }
        var free = new DriveInfo(path).AvailableFreeSpace;
        return free >= bytesMin
            ? Task.CompletedTask
            : throw new IOException($"{free} bytes are free at {path}, less than {bytesMin}");
    }

    private static async Task RequireOneAsync(IStore store, string table, CancellationToken cancel)
    {
        await foreach (var _ in store.ListIdsDescendingAsync(cancel))
        {
            return;
        }
        throw new IOException($"{table} record not found");
    }

    /// <param name="run">Throws when it fails.</param>
    private sealed class Check(Func<CancellationToken, Task> run) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await run(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception error) when (error is StorageException or IOException or HttpRequestException)
            {
                return HealthCheckResult.Unhealthy(error.Message, error);
            }
        }
    }
}
