using System.Diagnostics;
using System.Text.Json;

namespace TaskService.Tests.Support;

/// <summary>Prometheus of the system, and its promtool.</summary>
internal sealed class PrometheusServer : IDisposable
{
    private const string Server = "/usr/bin/prometheus";
    private const string Tool = "/usr/bin/promtool";

    private readonly TemporaryDirectory directory = new();
    private readonly ReservedPort port = new();
    private readonly Process process;
    private readonly HttpClient client;

    private PrometheusServer(string configuration)
    {
        File.WriteAllText(directory.File("prometheus.yml"), configuration);
        string[] args =
        [
            $"--config.file={directory.File("prometheus.yml")}", $"--storage.tsdb.path={directory.File("data")}",
            $"--web.listen-address=127.0.0.1:{port.Number}", "--log.level=error",
        ];
        process = Process.Start(new ProcessStartInfo(Server, args) { WorkingDirectory = directory.Path })!;
        client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port.Number}"), Timeout = Until.Limit };
    }

    /// <summary>Starts it with such a configuration; the test is skipped where it is not installed.</summary>
    public static PrometheusServer Start(string configuration)
    {
        SkipWithout(Server);
        return new PrometheusServer(configuration);
    }

    /// <summary>Runs promtool; the test is skipped where it is not installed.</summary>
    /// <returns>What it says, when it finds nothing wrong; else the test fails.</returns>
    public static async Task<string> CheckAsync(string input, params IEnumerable<string> args)
    {
        SkipWithout(Tool);
        using var promtool = Process.Start(new ProcessStartInfo(Tool, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = promtool.StandardOutput.ReadToEndAsync();
        var errors = promtool.StandardError.ReadToEndAsync();
        await promtool.StandardInput.WriteAsync(input);
        promtool.StandardInput.Close();
        await promtool.WaitForExitAsync().WaitAsync(Until.Limit);
        var text = await output + await errors;
        var command = $"promtool {string.Join(' ', args)}";
        Assert.True(promtool.ExitCode == 0, $"{command} ended with {promtool.ExitCode}: {text}");
        return text;
    }

    /// <summary>Waits until a query has a result.</summary>
    /// <returns>Its value, as text.</returns>
    public async Task<string> QueryAsync(string query)
    {
        var path = new Uri($"/api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative);
        return await Until.ResultAsync(
            async () =>
            {
                try
                {
                    var answer = JsonElement.Parse(await client.GetStringAsync(path));
                    var result = answer.GetProperty("data").GetProperty("result");
                    return result.GetArrayLength() == 0 ? null : result[0].GetProperty("value")[1].GetString();
                }
                catch (HttpRequestException)
                {
                    // It does not listen yet, or does not answer queries yet.
                    return null;
                }
            },
            $"a result of {query}");
    }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        client.Dispose();
        port.Dispose();
        directory.Dispose();
    }

    private static void SkipWithout(string program) =>
        Assert.SkipUnless(File.Exists(program), $"needs {program} (apt-get install prometheus)");
}
