using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace TaskService.Tests.Support;

/// <summary>
/// A page in a headless Chromium, driven by its DevTools protocol. It keeps what a page without errors has none of:
/// messages of the console, exceptions, resources that failed, and violations of the policy of the page.
/// </summary>
internal sealed class ChromiumPage : IAsyncDisposable
{
    private const string Program = "/usr/bin/chromium";
    private const string Listening = "DevTools listening on ";

    private static readonly JsonSerializerOptions WithoutNull =
        new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly TemporaryDirectory directory = new();
    private readonly ServiceProcess process;
    private readonly ClientWebSocket socket = new();
    private readonly CancellationTokenSource closed = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> calls = new();
    private readonly ConcurrentQueue<string> problems = new();
    private readonly ConcurrentQueue<string> hosts = new();
    private Task receiving = Task.CompletedTask;
    private string? session;
    private int lastCall;

    private ChromiumPage()
    {
        // As root there is no sandbox. Nothing but the service can be reached.
        string[] options =
        [
            "--headless=new", "--remote-debugging-port=0", $"--user-data-dir={directory.Path}", "--no-first-run",
            "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            .. Environment.IsPrivilegedProcess ? ["--no-sandbox"] : Array.Empty<string>(),
        ];
        process = ServiceProcess.StartGroup(directory.Path, [("HOME", directory.Path)], [Program, .. options]);
    }

    /// <summary>What has gone wrong so far.</summary>
    public IReadOnlyCollection<string> Problems => problems;

    /// <summary>Each host that the page has sent a request to.</summary>
    public IEnumerable<string> Hosts => hosts.Distinct();

    public static async Task<ChromiumPage> StartAsync()
    {
        Assert.SkipUnless(File.Exists(Program), "needs chromium (apt-get install chromium)");
        var browser = new ChromiumPage();
        try
        {
            await browser.ConnectAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    public Task OpenAsync(Uri address) => CallAsync("Page.navigate", new { url = $"{address}" });

    /// <summary>Waits until an expression of the page is true.</summary>
    public async Task UntilAsync(string expression)
    {
        using var limit = new CancellationTokenSource(Until.Limit);
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (await EvaluateAsync($"Boolean({expression})") is not JsonValue value || !value.GetValue<bool>())
        {
            Assert.False(
                limit.IsCancellationRequested,
                $"waited in vain for {expression}\n{string.Join('\n', problems)}\n"
                + await EvaluateAsync("document.body.innerText"));
            await pause.WaitForNextTickAsync();
        }
    }

    /// <summary>The value of an expression of the page; false while that is being loaded.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        expression = $"document.readyState === 'complete' && ({expression})";
        var result = await CallAsync("Runtime.evaluate", new { expression, returnByValue = true });
        Assert.True(result["exceptionDetails"] is null, $"{expression}: {result}");
        return result["result"]!["value"]?.DeepClone();
    }

    /// <summary>Types a text into the element that has the focus.</summary>
    public Task TypeAsync(string text) => CallAsync("Input.insertText", new { text });

    /// <summary>Presses a key that is no character, such as Tab; Enter has its character.</summary>
    public async Task PressAsync(string key)
    {
        var windowsVirtualKeyCode = key switch { "Tab" => 9, "Enter" => 13, "ArrowLeft" => 37, _ => 0 };
        var text = key == "Enter" ? "\r" : "";
        foreach (var type in new[] { text.Length > 0 ? "keyDown" : "rawKeyDown", "keyUp" })
        {
            await CallAsync("Input.dispatchKeyEvent", new { type, key, code = key, text, windowsVirtualKeyCode });
        }
    }

    /// <param name="width">Of the window, in CSS pixels.</param>
    /// <param name="height">Of the window.</param>
    /// <param name="scheme"><c>light</c> or <c>dark</c>.</param>
    public async Task ViewAsync(int width, int height, string scheme)
    {
        var deviceScaleFactor = width < 500 ? 2 : 1;
        var mobile = width < 500;
        await CallAsync("Emulation.setDeviceMetricsOverride", new { width, height, deviceScaleFactor, mobile });
        var features = new[] { new { name = "prefers-color-scheme", value = scheme } };
        await CallAsync("Emulation.setEmulatedMedia", new { features });
    }

    /// <summary>Writes a picture of the whole page.</summary>
    public async Task ScreenshotAsync(string path)
    {
        var picture = await CallAsync(
            "Page.captureScreenshot", new { format = "png", captureBeyondViewport = true });
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllBytesAsync(path, Convert.FromBase64String((string)picture["data"]!));
    }

    public async ValueTask DisposeAsync()
    {
        await closed.CancelAsync();
        await receiving;
        socket.Dispose();
        process.Dispose();
        closed.Dispose();
        directory.Dispose();
    }

    private async Task ConnectAsync()
    {
        var line = await Until.ResultAsync(
            () => process.Errors.FirstOrDefault(line => line.StartsWith(Listening, StringComparison.Ordinal)),
            "the address of the DevTools",
            () => string.Join('\n', process.Errors));
        await socket.ConnectAsync(new Uri(line[Listening.Length..]), CancellationToken.None);
        receiving = ReceiveAsync();
        var target = await CallAsync("Target.createTarget", new { url = "about:blank" });
        var attached = await CallAsync(
            "Target.attachToTarget", new { targetId = (string)target["targetId"]!, flatten = true });
        session = (string)attached["sessionId"]!;
        foreach (var domain in new[] { "Page", "Runtime", "Log", "Network" })
        {
            await CallAsync($"{domain}.enable");
        }
    }

    private async Task<JsonNode> CallAsync(string method, object? parameters = null)
    {
        var id = Interlocked.Increment(ref lastCall);
        var call = calls[id] = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        var message = JsonSerializer.SerializeToUtf8Bytes(
            new { id, method, @params = parameters ?? new { }, sessionId = session },
            WithoutNull);
        await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, closed.Token);
        var response = await call.Task.WaitAsync(Until.Limit, closed.Token);
        Assert.True(response["error"] is null, $"{method}: {response["error"]}");
        return response["result"]!;
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[64 * 1024];
        using var message = new MemoryStream();
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer, closed.Token);
                message.Write(buffer, 0, part.Count);
                if (part.EndOfMessage)
                {
                    Take(JsonNode.Parse(message.ToArray())!);
                    message.SetLength(0);
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or WebSocketException)
        {
            problems.Enqueue($"the connection to the browser has ended: {error.Message}");
        }
    }

    private void Take(JsonNode message)
    {
        if (message["id"] is { } id)
        {
            calls.TryRemove((int)id, out var call);
            call!.SetResult(message);
            return;
        }
        var details = message["params"]!;
        switch ((string?)message["method"])
        {
            case "Network.requestWillBeSent":
                var address = new Uri((string)details["request"]!["url"]!);
                hosts.Enqueue(address.Scheme == "data" ? "" : address.Authority);
                break;
            case "Log.entryAdded":
                problems.Enqueue($"{details["entry"]!["text"]} {details["entry"]!["url"]}");
                break;
            case "Runtime.exceptionThrown" or "Runtime.consoleAPICalled":
                problems.Enqueue($"{details}");
                break;
        }
    }
}
