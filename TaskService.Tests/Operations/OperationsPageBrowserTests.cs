using System.Text.Json.Nodes;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>The page of the operators as they use it: the real service, in a real browser.</summary>
[Trait("Suite", "template")]
public sealed class OperationsPageBrowserTests : IDisposable
{
    private const string Secret = "ein Geheimnis für Ops";
    private const string LogSecret = "0123456789abcdef";

    private readonly TemporaryDirectory directory = new();
    private ServiceProcess? service;
    private HttpClient? client;

    public void Dispose()
    {
        client?.Dispose();
        service?.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task An_operator_signs_in_sees_health_and_a_request_and_changes_a_level()
    {
        await StartAsync();
        await using var page = await OpenAsync("/ops");
        await SignInAsync(page, Secret);
        await page.UntilAsync("document.querySelectorAll('#checks li.good').length > 0");
        Assert.Equal("Healthy", await TextAsync(page, "#verdict"));
        await page.UntilAsync("/^[1-9][0-9]* packages$/.test(document.getElementById('packages-title').textContent)");
        await page.UntilAsync("!document.getElementById('requests').hidden");

        await SendSomeAsync();
        const string row = "[...document.querySelectorAll('.request')].find(row => row.textContent.includes('POST'))";
        await page.UntilAsync(row);
        await page.EvaluateAsync($"{row}.querySelector('summary').focus()");
        await page.PressAsync("Enter");
        await page.UntilAsync($"{row}.open && {row}.querySelector('pre')?.textContent.includes('status=201')");
        await page.UntilAsync($"{row}.querySelectorAll('.waterfall .bar').length >= 2");
        await page.UntilAsync("document.querySelectorAll('#statement-rows tr').length > 0");
        await page.UntilAsync("document.querySelector('#exporter-rows').textContent.includes('events')");
        // Without those of the page itself.
        await page.UntilAsync("/^[1-9.]/.test(document.querySelector('#rate .headline').textContent)");
        Assert.DoesNotContain("stats.json", await TextAsync(page, "#request-rows"), StringComparison.Ordinal);
        // The sample before the last one, as the pointer or this key chooses it.
        await page.EvaluateAsync("document.querySelector('#statuses .area').focus()");
        await page.PressAsync("ArrowLeft");
        await page.UntilAsync("/^at [0-9:]{8} UTC$/.test(document.querySelector('#statuses .when').textContent)");

        await page.EvaluateAsync("document.getElementById('logger').select()");
        await page.TypeAsync("taskservice.page");
        await page.PressAsync("Enter");
        await page.UntilAsync("document.querySelector('#overrides').textContent.includes('taskservice.page')");
        Assert.Equal("DEBUG", (string?)(await LevelsAsync())["overrides"]!["taskservice.page"]);
        await PicturesAsync(page);
        await page.EvaluateAsync("document.querySelector('#overrides button').click()");
        await page.UntilAsync("document.querySelector('#overrides').textContent === ''");
        Assert.Empty((await LevelsAsync())["overrides"]!.AsObject());

        Assert.Empty(page.Problems);
        Assert.Equal([client!.BaseAddress!.Authority], page.Hosts.Except([""]));
    }

    [Fact]
    public async Task The_secret_is_of_the_tab_and_is_gone_after_signing_out()
    {
        await StartAsync();
        await using var page = await OpenAsync("/ops/");
        await SignInAsync(page, Secret);
        await page.UntilAsync("!document.getElementById('health').hidden");
        Assert.Equal(0, (int)(await page.EvaluateAsync("localStorage.length + document.cookie.length"))!);
        await page.EvaluateAsync("(window.isOld = true, location.reload())");
        await page.UntilAsync("!window.isOld && !document.getElementById('health').hidden");
        await page.EvaluateAsync("document.getElementById('sign-out').click()");
        await page.UntilAsync("!document.getElementById('sign-in').hidden");
        Assert.Equal(0, (int)(await page.EvaluateAsync("sessionStorage.length"))!);
        Assert.Empty(page.Problems);
    }

    [Fact]
    public async Task A_wrong_secret_is_named_as_such_and_too_many_have_to_wait()
    {
        await StartAsync();
        await using var page = await OpenAsync("/ops/");
        await SignInAsync(page, "wrong");
        await page.UntilAsync("document.getElementById('secret-problem').textContent === 'This secret is wrong.'");
        Assert.True((bool)(await page.EvaluateAsync("document.getElementById('board').hidden"))!);
        // What is wrong is selected, and replaced by what is typed.
        await page.UntilAsync("document.activeElement.id === 'secret'");
        while (!(bool)(await page.EvaluateAsync("/Wait \\d+ s/.test(document.body.textContent)"))!)
        {
            await SignInAsync(page, "wrong");
            await page.UntilAsync("document.getElementById('secret-problem').textContent");
        }
        // The browser notes each refusal.
        const string refusal = "Failed to load resource: the server responded with a status of 4";
        Assert.All(page.Problems, problem => Assert.StartsWith(refusal, problem, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_secret_does_not_open_is_hidden()
    {
        await StartAsync();
        await using var page = await OpenAsync("/ops/");
        await SignInAsync(page, LogSecret);
        await page.UntilAsync("!document.getElementById('levels').hidden");
        foreach (var panel in new[] { "rate", "latency", "statuses", "health", "exporters", "versions", "requests" })
        {
            Assert.True((bool)(await page.EvaluateAsync($"document.getElementById('{panel}').hidden"))!, panel);
        }
        Assert.Equal("", await TextAsync(page, "#notice"));
    }

    private async Task StartAsync()
    {
        await File.WriteAllTextAsync(directory.File("c.yaml"), $$"""
            service: { address: 127.0.0.1 }
            task-db: { sqlite: tasks.db }
            telemetry: { exporters: { events: { type: json, path: events.json } } }
            operations: { secret: {{Secret}}, log-view-secret: {{LogSecret}} }
            """);
        service = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "--port", "0");
        client = await service.ClientAsync();
    }

    private async Task<ChromiumPage> OpenAsync(string path)
    {
        var page = await ChromiumPage.StartAsync();
        await page.ViewAsync(1280, 900, "light");
        await page.OpenAsync(new Uri(client!.BaseAddress!, path));
        await page.UntilAsync("document.activeElement?.id === 'secret'");
        return page;
    }

    private static async Task SignInAsync(ChromiumPage page, string secret)
    {
        await page.EvaluateAsync("document.getElementById('secret-problem').textContent = ''");
        await page.TypeAsync(secret);
        await page.PressAsync("Enter");
    }

    private async Task SendSomeAsync()
    {
        for (var i = 0; i < 20; i++)
        {
            using var created = await client!.PostAsync(
                new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
            using var read = await client.GetAsync(created.Headers.Location);
            using var missing = await client.GetAsync(new Uri($"{created.Headers.Location}0", UriKind.Relative));
        }
    }

    /// <summary>Takes pictures in both schemes and as wide as a phone, where nothing must be wider than it.</summary>
    private static async Task PicturesAsync(ChromiumPage page)
    {
        (int Width, string Scheme)[] views = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")];
        foreach (var (width, scheme) in views)
        {
            await page.ViewAsync(width, 900, scheme);
            await page.ScreenshotAsync(TestRoot.File("artifacts", "page", $"{width}-{scheme}.png"));
            Assert.Equal(width, (int)(await page.EvaluateAsync("document.documentElement.scrollWidth"))!);
        }
        await page.ViewAsync(1280, 900, "light");
    }

    private async Task<JsonNode> LevelsAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/ops/logging/level");
        request.Headers.Add("X-API-Key", LogSecret);
        using var response = await client!.SendAsync(request);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    private static async Task<string?> TextAsync(ChromiumPage page, string selector) =>
        (string?)await page.EvaluateAsync($"document.querySelector('{selector}').textContent");
}
