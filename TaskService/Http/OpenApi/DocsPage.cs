namespace TaskService.Http.OpenApi;

/// <summary>
/// A page to read the description of the API and to try it: Swagger UI, out of its package. Nothing comes from
/// anywhere else. Without this file, its line in Program and its package there is none.
/// </summary>
internal static class DocsPage
{
    private const string Prefix = "docs";

    // The browser makes sure of it, too.
    private const string Policy =
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

    private static readonly string[] Files =
    [
        "", "/index.html", "/index.css", "/index.js", "/swagger-ui.css", "/swagger-ui-bundle.js",
        "/swagger-ui-standalone-preset.js", "/favicon-16x16.png", "/favicon-32x32.png",
    ];

    public static void MapDocs(this WebApplication app, bool isOn)
    {
        if (!isOn)
        {
            return;
        }
        // Made at the first request, so that a start neither loads the package nor compiles its setup.
        var page = new Lazy<RequestDelegate>(() => Build(app));
        foreach (var file in Files)
        {
            var endpoint = app.MapGet($"/{Prefix}{file}", http => ServeAsync(http, page.Value));
            endpoint.ExcludeFromDescription().AllowAnonymous();
            if (file.Length == 0)
            {
                endpoint.WithName(Prefix);
            }
        }
    }

    private static async Task ServeAsync(HttpContext http, RequestDelegate page)
    {
        http.Response.Headers.ContentSecurityPolicy = Policy;
        // The middleware serves nothing where an endpoint was found.
        var endpoint = http.GetEndpoint();
        http.SetEndpoint(null);
        try
        {
            await page(http);
        }
        finally
        {
            http.SetEndpoint(endpoint);
        }
    }

    private static RequestDelegate Build(IApplicationBuilder app) => app.New()
        .UseSwaggerUI(options =>
        {
            options.RoutePrefix = Prefix;
            options.SwaggerEndpoint(OpenApiEndpoint.Path, "API");
        })
        .Build();
}
